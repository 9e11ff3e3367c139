// A small RTSP server for tests: a stand-in for cameras, which hands on what is published to it.
//
// Who publishes needs no credentials: it listens on loopback alone. Who reads needs those that are
// given, by digest (RFC 2617, MD5, as cameras have it).
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"sync"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/pion/rtp"
)

type published struct {
	stream  *gortsplib.ServerStream
	session *gortsplib.ServerSession
}

type relay struct {
	server         *gortsplib.Server
	user, password string
	mutex          sync.RWMutex
	paths          map[string]published
}

func answer(status base.StatusCode) *base.Response { return &base.Response{StatusCode: status} }

func (r *relay) known(conn *gortsplib.ServerConn, request *base.Request) bool {
	return r.user == "" || conn.VerifyCredentials(request, r.user, r.password)
}

func (r *relay) find(path string) *gortsplib.ServerStream {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	return r.paths[path].stream
}

// OnSessionClose ends the streams of a publisher that is gone.
func (r *relay) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for path, one := range r.paths {
		if one.session == ctx.Session {
			one.stream.Close()
			delete(r.paths, path)
		}
	}
}

// OnDescribe answers what a stream holds.
func (r *relay) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (
	*base.Response, *gortsplib.ServerStream, error,
) {
	if !r.known(ctx.Conn, ctx.Request) {
		return answer(base.StatusUnauthorized), nil, liberrors.ErrServerAuth{}
	}
	stream := r.find(ctx.Path)
	if stream == nil {
		return answer(base.StatusNotFound), nil, nil
	}
	return answer(base.StatusOK), stream, nil
}

// OnAnnounce takes a stream in, in place of the one that was there.
func (r *relay) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	stream := &gortsplib.ServerStream{Server: r.server, Desc: ctx.Description}
	if err := stream.Initialize(); err != nil {
		return answer(base.StatusInternalServerError), err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if before, there := r.paths[ctx.Path]; there {
		before.stream.Close()
		before.session.Close()
	}
	r.paths[ctx.Path] = published{stream, ctx.Session}
	return answer(base.StatusOK), nil
}

// OnSetup prepares reading or publishing.
func (r *relay) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (
	*base.Response, *gortsplib.ServerStream, error,
) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return answer(base.StatusOK), nil, nil
	}
	if !r.known(ctx.Conn, ctx.Request) {
		return answer(base.StatusUnauthorized), nil, liberrors.ErrServerAuth{}
	}
	stream := r.find(ctx.Path)
	if stream == nil {
		return answer(base.StatusNotFound), nil, nil
	}
	return answer(base.StatusOK), stream, nil
}

// OnPlay lets somebody read.
func (r *relay) OnPlay(_ *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	log.Printf("play")
	return answer(base.StatusOK), nil
}

// OnRecord hands on what is published.
func (r *relay) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	stream := r.find(ctx.Path)
	ctx.Session.OnPacketRTPAny(func(media *description.Media, _ format.Format, packet *rtp.Packet) {
		if err := stream.WritePacketRTP(media, packet); err != nil {
			log.Printf("a packet was lost")
		}
	})
	return answer(base.StatusOK), nil
}

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	user := flag.String("user", "", "who may read; empty: everybody")
	password := flag.String("password", "", "their password")
	flag.Parse()
	listening, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	r := &relay{user: *user, password: *password, paths: map[string]published{}}
	r.server = &gortsplib.Server{
		Handler:     r,
		RTSPAddress: listening.Addr().String(),
		Listen:      func(string, string) (net.Listener, error) { return listening, nil },
		AuthMethods: []auth.VerifyMethod{auth.VerifyMethodDigestMD5},
	}
	if err := r.server.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(listening.Addr().(*net.TCPAddr).Port)
	log.Fatal(r.server.Wait())
}
