#!/usr/bin/env python3
"""The devcloud: a real OpenStack, Kubernetes and Pulumi on this machine, for tests.

    devcloud.py up         build what is missing, start what does not run, print the environment
    devcloud.py env        only print the environment, for eval "$(...)"
    devcloud.py status     what runs; exit 0 when all of it does
    devcloud.py accept [openstack|kubernetes|pulumi ...]    prove that it works (default: all)
    devcloud.py down       stop it; what was built and the cluster's state stay
    devcloud.py build      only build

Needs root, Debian 12, Go 1.26 or newer, Python 3.11 or newer, and the first time the package
indexes (Debian's, Python's, Go's module proxy). Installs the Debian packages that it lacks.
Everything else is written under $BOROUGH_DEVCLOUD_HOME (default ~/.cache/borough-devcloud).

Exit status: 0 done; 1 a check failed (status, accept); 2 wrong usage; 75 the devcloud cannot be
had on this machine or now: the last line on stderr says why, as "devcloud: unavailable: ...".
Each step is tried twice. Progress goes to stderr; the full output of each step to log/ there.
"""
import argparse
import contextlib
import fcntl
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ.get('BOROUGH_DEVCLOUD_HOME')
            or '~/.cache/borough-devcloud').expanduser().resolve()
LOG = HOME / 'log'
UNAVAILABLE = 75                 # EX_TEMPFAIL of sysexits.h
GO = (1, 26)
FREE_GB = 14                     # sources, build cache and programs of a first build
MEMORY_GB = 4                    # linking the API server; later both clouds hold about 2.5
# what the scripts call, beyond Kubernetes' own packages in kubernetes/build.py
APT = {'ca-certificates': '/etc/ssl/certs/ca-certificates.crt',
       'openssl': '/usr/bin/openssl', 'procps': '/bin/ps', 'git': '/usr/bin/git'}
PINS = HERE.parent / 'requirements/runtime.txt'     # has the Pulumi SDKs and openstacksdk
PARTS = ('openstack', 'kubernetes', 'pulumi')


class Unavailable(Exception):
    """The devcloud cannot be had; the text says why, for a person."""


def say(text):
    print('devcloud: %s' % text, file=sys.stderr, flush=True)


# --- what this machine must have ------------------------------------------

def go():
    """The Go command, new enough."""
    found = shutil.which('go') or shutil.which('go', path='/usr/local/go/bin')
    if not found:
        raise Unavailable('Go is not installed: Go %d.%d or newer builds it' % GO)
    said = subprocess.run([found, 'env', 'GOVERSION'], cwd=HERE, capture_output=True, text=True,
                          env={**os.environ, 'GOTOOLCHAIN': 'local'}).stdout
    version = tuple(int(n) for n in re.findall(r'\d+', said)[:2])
    if version < GO:
        raise Unavailable('%s is %s; Go %d.%d or newer is needed' % (
            found, said.strip() or 'unusable', *GO))
    return found


def machine(first):
    """Raise Unavailable when this machine cannot carry the devcloud."""
    if sys.platform != 'linux' or os.uname().machine != 'x86_64':
        raise Unavailable('it runs on Linux on x86-64 only')
    if os.geteuid():
        raise Unavailable('it needs root (containers, a bridge, Debian packages)')
    if sys.version_info < (3, 11):
        raise Unavailable('it needs Python 3.11; this is %s' % sys.version.split()[0])
    if importlib.util.find_spec('ensurepip') is None:
        raise Unavailable('this Python makes no virtual environments (Debian: python3-venv)')
    HOME.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(HOME).free / 1e9
    if first and free < FREE_GB:
        raise Unavailable('%s has %.0f GB free; a first build needs %d' % (HOME, free, FREE_GB))
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9
    if memory < MEMORY_GB:
        raise Unavailable('%.1f GB of memory; it needs %d' % (memory, MEMORY_GB))


def packages():
    lack = sorted(name for name, path in APT.items() if not os.path.exists(path))
    if not lack:
        return
    if not shutil.which('apt-get'):
        raise Unavailable('these programs are missing: ' + ' '.join(lack))
    say('installing Debian packages: ' + ' '.join(lack))
    env = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
    run('apt', ['apt-get', 'update', '-q'], env=env)
    run('apt', ['apt-get', 'install', '-yq', '--no-install-recommends', *lack], env=env)


# --- running the steps ----------------------------------------------------

def surroundings():
    """The environment of the steps: Go found, nothing on loopback through a proxy."""
    env = dict(os.environ, BOROUGH_DEVCLOUD_HOME=str(HOME))
    env['PATH'] = ':'.join([env.get('PATH') or '/usr/bin:/bin', '/usr/local/go/bin', '/usr/sbin',
                            '/sbin'])
    for key in ('NO_PROXY', 'no_proxy'):
        env[key] = ','.join(x for x in (env.get(key), '127.0.0.1,localhost') if x)
    return env


def run(name, argv, env=None, check=True):
    """Run a step with its output in log/NAME.log; answer (done, that output)."""
    LOG.mkdir(parents=True, exist_ok=True)
    path = LOG / (name + '.log')
    with open(path, 'a+', errors='replace') as log:
        at = log.seek(0, os.SEEK_END)
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log,
                              stderr=subprocess.STDOUT, env=env or surroundings())
        log.seek(at)
        text = log.read()
    if done.returncode and check:
        print('\n'.join(text.splitlines()[-30:]), file=sys.stderr, flush=True)
        raise Unavailable('%s failed with status %d; see %s' % (
            ' '.join(Path(a).name if os.sep in str(a) else str(a) for a in argv),
            done.returncode, path))
    return done.returncode == 0, text


def twice(what, first, second=None):
    """Do a step; when it fails, do it (or what cleans up as well) once more."""
    begun = time.monotonic()
    say('%s ...' % what)
    try:
        result = first()
    except Unavailable as problem:
        say('%s; trying once more' % problem)
        result = (second or first)()
    say('%s: %.0f s' % (what, time.monotonic() - begun))
    return result


def script(part, name):
    return [sys.executable, HERE / part / name]


def build():
    go()
    twice('building Kubernetes (about 9 minutes on two cores the first time)',
          lambda: run('kubernetes-build', script('kubernetes', 'build.py')))
    twice('building Pulumi and its plugins (about 4 minutes the first time)',
          lambda: run('pulumi-build', script('pulumi', 'build.py')))


def start():
    cloud, cluster = script('openstack', 'start.py'), script('kubernetes', 'start.py')
    twice('starting OpenStack (about 2 minutes the first time)',
          lambda: run('openstack', [*cloud, 'start']),
          lambda: run('openstack', [*cloud, 'fresh']))
    twice('starting Kubernetes',
          lambda: run('kubernetes', [*cluster, 'start']),
          lambda: run('kubernetes', [*cluster, 'fresh']))


def status(quiet=False):
    good = True
    for part in ('openstack', 'kubernetes'):
        ok, text = run('status', [*script(part, 'start.py'), 'status'], check=False)
        good = good and ok
        if not quiet:
            print('%s: %s\n%s' % (part, 'up' if ok else 'NOT UP', text), flush=True)
    return good


# --- what the tests use ---------------------------------------------------

def environment():
    """The variables of a program that uses the devcloud."""
    path = [str(HOME / 'bin'), str(HOME / 'kubernetes/bin')]
    path += [p for p in os.environ.get('PATH', '').split(':') if p and p not in path]
    env = {
        'BOROUGH_DEVCLOUD_HOME': str(HOME),
        'PATH': ':'.join(path),
        'KUBECONFIG': str(HOME / 'kubernetes/kubeconfig'),
        'OS_CLIENT_CONFIG_FILE': str(HOME / 'openstack/clouds.yaml'),
        'PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION': 'true',
        'PULUMI_SKIP_UPDATE_CHECK': 'true',
    }
    if any(os.environ.get(k) for k in ('http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY')):
        env.update((k, surroundings()[k]) for k in ('NO_PROXY', 'no_proxy'))
    return env


def show_environment():
    for key, value in environment().items():
        print('export %s=%s' % (key, shlex.quote(value)))


# --- proving it -----------------------------------------------------------

def client():
    """A Python with the Pulumi SDKs: this one, or one of our own."""
    if all(importlib.util.find_spec(n) for n in ('pulumi_openstack', 'pulumi_kubernetes',
                                                 'openstack', 'yaml')):
        return sys.executable
    venv = HOME / 'pulumi/client'
    mark = venv / '.stamp'
    if not (mark.exists() and mark.read_text() == PINS.read_text()):
        run('pulumi-client', [sys.executable, '-m', 'venv', '--clear', venv])
        run('pulumi-client', [venv / 'bin/python', '-m', 'pip', 'install', '-q', '--no-compile',
                              '--no-deps', '--require-hashes', '-r', PINS])
        mark.write_text(PINS.read_text())
    return venv / 'bin/python'


def accept(parts):
    env = {**surroundings(), **environment()}
    bad = []
    for part in parts:
        python = sys.executable
        if part == 'openstack':
            python = HOME / 'openstack/venv/bin/python'
        elif part == 'pulumi':
            python = client()
            # the tenancy's Deployment must become ready, so its image must be there
            run('web-image', [*script('kubernetes', 'image.py'), 'build', '--name', 'web:1',
                              '--entrypoint', 'sleep infinity'])
            env['BOROUGH_AWAIT_PODS'] = '1'
        begun = time.monotonic()
        print('--- %s' % part, flush=True)
        done = subprocess.run([str(python), str(HERE / part / 'accept.py')], env=env)
        print('--- %s: %s in %.0f s' % (part, 'FAILED' if done.returncode else 'accepted',
                                        time.monotonic() - begun), flush=True)
        if done.returncode:
            bad.append(part)
    return not bad


@contextlib.contextmanager
def alone():
    """One devcloud.py at a time builds, starts or stops."""
    HOME.mkdir(parents=True, exist_ok=True)
    with open(HOME / 'devcloud.lock', 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say('another devcloud.py is at work; waiting for it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def act(options):
    if options.command == 'env':
        show_environment()
    elif options.command == 'status':
        return status()
    elif options.command == 'accept':
        if not status(quiet=True):
            raise Unavailable('it does not run: devcloud.py up')
        return accept(options.parts or PARTS)
    elif options.command == 'down':
        with alone():
            run('openstack', [*script('openstack', 'start.py'), 'stop'])
            run('kubernetes', [*script('kubernetes', 'start.py'), 'stop'])
        say('stopped')
    else:
        built = (HOME / 'bin/pulumi').exists() and (HOME / 'kubernetes/bin/kwok').exists()
        machine(first=not built)
        with alone():
            packages()
            build()
            if options.command == 'up':
                start()
        if options.command == 'up':
            say('up')
            show_environment()
    return True


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='devcloud.py', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(dest='command', required=True)
    for name in ('up', 'build', 'env', 'status', 'down'):
        sub.add_parser(name)
    proof = sub.add_parser('accept')
    proof.add_argument('parts', nargs='*', metavar='PART', help=' | '.join(PARTS))
    options = parser.parse_args(arguments)
    if wrong := set(getattr(options, 'parts', ())) - set(PARTS):
        parser.error('no such part: ' + ' '.join(sorted(wrong)))
    try:
        return 0 if act(options) else 1
    except (Unavailable, OSError) as problem:
        say('unavailable: %s' % problem)
        return UNAVAILABLE


if __name__ == '__main__':
    sys.exit(main())
