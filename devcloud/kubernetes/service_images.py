#!/usr/bin/env python3
"""Images for the bundled blueprints' services, made from Debian's packages and wheels:
  borough/postgresql:15      PostgreSQL 15 (PostgreSQL licence), user 999
  borough/cache-and-queue:1  Redis 7.0 (BSD) and NATS server 2.9 (Apache 2.0)
  borough/notebook:1         Jupyter (BSD), DuckDB (MIT), PyArrow and boto3 (Apache 2.0)
service_images.py [NAME...]  build and load those that the cluster does not have"""
import os
import subprocess
import sys
import tempfile
sys.dont_write_bytecode = True
import image

HERE = os.path.dirname(os.path.abspath(__file__))
# initdb asks for the name of its user; Debian's package gives it another number each time
PASSWD = '''root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh
app:x:65532:65532:app:/tmp:/bin/sh
'''
GROUP = 'root:x:0:\nnogroup:x:65534:\npostgres:x:999:\napp:x:65532:\n'


def options(name, folder):
    if name == 'borough/postgresql:15':
        for part, text in (('passwd', PASSWD), ('group', GROUP)):
            with open(os.path.join(folder, part), 'w') as f:
                f.write(text)
        return ['--apt', 'postgresql-15', '--user', '999:999',
                '--copy', folder + '/passwd:/etc/passwd',
                '--copy', folder + '/group:/etc/group']
    if name == 'borough/cache-and-queue:1':
        return ['--apt', 'redis-server', '--apt', 'nats-server']
    if name == 'borough/notebook:1':
        # the wheels of ZeroMQ, DuckDB and Arrow are C++
        return ['--apt', 'libstdc++6', '--apt', 'libgomp1',
                '--python-requirements', HERE + '/notebook.requirements.txt']
    raise SystemExit('no image of the services is called %s' % name)


ALL = ['borough/postgresql:15', 'borough/cache-and-queue:1',
       'borough/notebook:1']


def main():
    if not image.running():
        raise SystemExit('the cluster does not run')
    for name in sys.argv[1:] or ALL:
        if image.has(name):
            continue
        with tempfile.TemporaryDirectory(prefix='borough-service-') as work:
            subprocess.run([sys.executable, HERE + '/image.py', 'build',
                            '--name', name] + options(name, work), check=True)


if __name__ == '__main__':
    main()
