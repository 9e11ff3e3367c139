"""A program that misbehaves costs its own operation and nothing else."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from control_plane.adapters.program_host.evaluate import evaluate
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.ports import Limits, ProgramError, Run

KEY = b"k" * 32
#: Time is no bound here, however busy the machine is: each of them meets another one first.
SMALL = Limits(seconds=30, cpu_seconds=2, memory_bytes=1 << 30, output_bytes=4096)
WELL_BEHAVED = """
import pulumi
pulumi.export("answer", 42)
"""
# To itself, which only the filter refuses: a user's processes may signal each other.
SIGNAL_BY_QUEUE = """
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 129, "aarch64": 138}[platform.machine()]
info = (ctypes.c_int * 32)(0, 0, -1)
if libc.syscall(number, os.getpid(), 0, info):
    raise OSError(ctypes.get_errno(), "rt_sigqueueinfo")
"""

# The numbers themselves: what C libraries do for a program is not all that it can do.
CALL = """
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
number = {{"x86_64": {x86_64}, "aarch64": {aarch64}}}[platform.machine()]
if libc.syscall(number, {arguments}) < 0:
    raise OSError(ctypes.get_errno(), "refused")
"""

Write = Callable[..., Run]


def failure(host: ProgramHost, run: Run) -> ProgramError:
    with pytest.raises(ProgramError) as caught:
        evaluate(host, run, KEY)
    return caught.value


@pytest.fixture(autouse=True)
def _still_serves_afterwards(host: ProgramHost, program: Write) -> Iterator[None]:
    """After each of them the next program runs as if nothing had been, and nothing is left."""
    yield
    assert evaluate(host, program(WELL_BEHAVED), KEY).outputs == {"answer": 42}
    server = psutil.Process(host._server.pid)  # noqa: SLF001
    deadline = time.monotonic() + 5
    while [c for c in server.children(recursive=True) if c.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < deadline, server.children(recursive=True)
        time.sleep(0.02)


def test_one_that_raises_is_explained_with_its_line(host: ProgramHost, program: Write) -> None:
    error = failure(host, program("x = 1\nraise ValueError('no such size')\n"))
    assert "ValueError: no such size" in error.message
    assert "__main__.py:2" in error.message


def test_one_with_a_syntax_error(host: ProgramHost, program: Write) -> None:
    assert "SyntaxError" in failure(host, program("def :\n")).message


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import sys; sys.exit(0)", "sys.exit(0)"),
        ("import sys; sys.exit('bye')", "sys.exit('bye')"),
        ("import os; os._exit(0)", "exited with status 0 before it was finished"),
        ("import os; os.abort()", "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import leaves_at_once", "exited with status 3 before it was finished"),
    ],
)
def test_one_that_exits(host: ProgramHost, program: Write, source: str, words: str) -> None:
    run = program(source)
    (run.program.path / "leaves_at_once.py").write_text("import os; os._exit(3)")
    assert words in failure(host, run).message


def test_one_that_hangs(host: ProgramHost, program: Write) -> None:
    begin = time.monotonic()
    error = failure(host, program("import time; time.sleep(600)", limits=Limits(seconds=0.5)))
    assert "longer than 0.5 s" in error.message
    assert time.monotonic() - begin < 5


def test_one_that_ignores_signals_and_spins(host: ProgramHost, program: Write) -> None:
    source = """
    import signal
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: pass
    """
    limits = Limits(seconds=30, cpu_seconds=1)
    assert "processor time" in failure(host, program(source, limits=limits)).message


def test_one_that_prints_garbage_without_end(host: ProgramHost, program: Write) -> None:
    source = """
    import os, sys
    block = bytes(range(256)) * 4096
    while True: os.write(1, block); os.write(2, block)
    """
    before = psutil.Process().memory_info().rss
    error = failure(host, program(source, limits=SMALL))
    assert "printed more than 64 MiB" in error.message or "longer than" in error.message
    assert len(error.details["output"]) <= 4096
    assert psutil.Process().memory_info().rss - before < 64 * 1024 * 1024


def test_printing_is_not_the_protocol(host: ProgramHost, program: Write) -> None:
    source = """
    import os, pulumi
    print('{"ended": "well"}')
    os.write(1, b"\\x00\\x00\\x00\\x10\\x00\\x00\\x00\\x00" + b'{"ended":"well"}')
    pulumi.export("answer", 1)
    """
    assert evaluate(host, program(source), KEY).outputs == {"answer": 1}


@pytest.mark.parametrize(
    "frame",
    [
        "b'garbage' * 100",
        "b'\\xff' * 4096",
        "struct.pack('>II', 5, 0) + b'[1,2]'",
        "struct.pack('>II', 2, 0) + b'{}'",
        "struct.pack('>II', 31, 2) + b'{\"id\":1,\"call\":\"ReadResource\"} ' + b'{}'",
        "struct.pack('>II', 34, 2) + b'{\"id\":1,\"call\":\"RegisterResource\"}' + b'{}'",
        "struct.pack('>II', 34, 2) + b'{\"id\":1,\"call\":\"RegisterResource\"}' + b'[]'",
    ],
)
def test_one_that_speaks_nonsense_on_the_channel(
    host: ProgramHost, program: Write, frame: str
) -> None:
    source = f"""
    import os, struct, time
    os.write(3, {frame})
    time.sleep(5)
    """
    assert "nonsense" in failure(host, program(source, limits=SMALL)).message


def test_one_that_closes_the_channel(host: ProgramHost, program: Write) -> None:
    source = "import socket, os, time\nos.close(3)\ntime.sleep(60)"
    message = failure(host, program(source, limits=Limits(seconds=2))).message
    assert "before it was finished" in message or "longer than" in message


def test_one_that_allocates_without_bound(host: ProgramHost, program: Write) -> None:
    source = "x = []\nwhile True: x.append(bytearray(1 << 24))"
    # Writing a gigabyte takes a slow machine longer than the others may take.
    limits = replace(SMALL, cpu_seconds=20)
    assert "more memory than it may use" in failure(host, program(source, limits=limits)).message


def test_one_that_forks(host: ProgramHost, program: Write) -> None:
    source = "import os\nwhile True: os.fork()"
    assert "PermissionError" in failure(host, program(source, limits=SMALL)).message


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess; subprocess.run(['/bin/true'])",
        "import os; os.execv('/bin/sh', ['sh'])",
        "import os; os.posix_spawn('/bin/sh', ['sh'], {})",
        "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
        "import socket; socket.create_connection(('127.0.0.1', 5432), 1)",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import os; os.kill(os.getppid(), 9)",
        "import os, signal; signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)",
        SIGNAL_BY_QUEUE,
        "import fcntl, os; fcntl.fcntl(1, fcntl.F_SETOWN, os.getpid())",
        CALL.format(x86_64=57, aarch64=220, arguments="17, 0, 0, 0, 0"),  # fork, or clone
        CALL.format(x86_64=29, aarch64=194, arguments="0, 1 << 30, 0o1600"),  # shmget
        "import os; os.memfd_create('outside of every limit')",
        "import resource as r; r.setrlimit(r.RLIMIT_AS, (r.RLIM_INFINITY,) * 2)",
        "open('/etc/passwd').read()",
        "open('/etc/shadow').read()",
        "import os; os.listdir('/root')",
        "open(f'/proc/{__import__(\"os\").getppid()}/environ').read()",
        "open('/tmp/borough-was-here', 'w')",
        "open(__file__, 'a').write('#')",
        "import os; os.symlink('/etc/passwd', os.environ['TMPDIR'] + '/x')",
        "import os; os.setuid(0); os.chown('.', 0, 0); open('/etc/x', 'w')",
    ],
)
def test_one_that_reaches_out_is_refused(host: ProgramHost, program: Write, source: str) -> None:
    message = failure(host, program(source, limits=SMALL)).message
    assert any(w in message for w in ("PermissionError", "ValueError", "Operation not permitted"))
    assert not Path("/tmp/borough-was-here").exists()  # noqa: S108 - where it tried to write


def test_one_that_reads_the_environment_finds_nothing(
    host: ProgramHost, program: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOROUGH_DATABASE_URL", "postgresql://secret")
    source = """
    import os, pulumi
    pulumi.export("environment", sorted(os.environ))
    try:
        block = open("/proc/self/environ", "rb").read().decode()
    except PermissionError:  # it runs as a user of its own
        block = ""
    pulumi.export("block", block)
    pulumi.export("descriptors", sorted(os.listdir("/proc/self/fd")))
    """
    outputs = evaluate(host, program(source), KEY).outputs
    names = ["HOME", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR"]
    assert outputs["environment"] == names
    assert "BOROUGH" not in str(outputs["block"])
    assert str(Path.home()) not in str(outputs["block"])


def test_one_that_fills_the_disk_is_bounded(host: ProgramHost, program: Write) -> None:
    source = """
    import os
    with open(os.environ["TMPDIR"] + "/big", "wb") as f:
        while True: f.write(bytes(1 << 20))
    """
    message = failure(host, program(source, limits=SMALL)).message
    assert "larger file than it may" in message or "File too large" in message


@pytest.mark.parametrize(
    "keep",
    [
        "handles.append(os.open(folder, os.O_TMPFILE | os.O_RDWR))",
        "handles.append(os.open(f'{folder}/{len(handles)}', os.O_CREAT | os.O_RDWR))",
        "handles.append(os.open(f'{folder}/x', os.O_CREAT | os.O_RDWR)); os.unlink(f'{folder}/x')",
    ],
)
def test_one_that_fills_the_disk_with_many_files_is_ended(
    host: ProgramHost, program: Write, keep: str
) -> None:
    source = f"""
    import os, time
    folder, handles = os.environ["TMPDIR"], []
    while len(handles) < 20:
        {keep}
        for _ in range(32): os.write(handles[-1], bytes(1 << 20))
    time.sleep(60)
    """
    message = failure(host, program(source, limits=Limits(seconds=20))).message
    assert "more onto the disk than it may" in message


def test_one_that_makes_files_without_end_is_ended(host: ProgramHost, program: Write) -> None:
    source = """
    import os, time
    for number in range(20_000): open(os.environ["TMPDIR"] + f"/{number}", "w").close()
    time.sleep(60)
    """
    message = failure(host, program(source, limits=Limits(seconds=20))).message
    assert "more onto the disk than it may" in message


def test_its_private_folder_is_gone_afterwards(host: ProgramHost, program: Write) -> None:
    source = """
    import os, pathlib, pulumi
    pathlib.Path(os.environ["TMPDIR"], "kept").write_text("x")
    pulumi.export("folder", os.environ["TMPDIR"])
    """
    folder = evaluate(host, program(source), KEY).outputs["folder"]
    assert not Path(str(folder)).exists()


def test_one_that_starts_threads_is_bounded(host: ProgramHost, program: Write) -> None:
    source = """
    import threading, time
    while True: threading.Thread(target=time.sleep, args=(60,)).start()
    """
    message = failure(host, program(source, limits=SMALL)).message
    assert "can't start new thread" in message or "longer than" in message or "memory" in message


def test_a_secret_in_an_error_or_in_its_printing_is_masked(
    host: ProgramHost, program: Write
) -> None:
    source = """
    import json, pulumi
    c = json.loads(pulumi.runtime.config.CONFIG.get()["sample:credentials"])
    password = c["region"]["openstack"]["password"]
    print("the password is", password, flush=True)
    raise ValueError("cannot sign in with " + password)
    """
    error = failure(host, program(source))
    assert "correct-horse-battery" not in error.message + str(error.details)
    assert "[secret]" in error.message
    assert "[secret]" in error.details["output"]


def test_the_server_ends_with_its_owner(tmp_path: Path) -> None:
    """The owner is killed in the middle of a program: nothing of it is left."""
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "__main__.py").write_text("import time; time.sleep(600)")
    code = f"""
import os, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from control_plane.adapters.program_host.host import Order, ProgramHost
from control_plane.provisioning.ports import Limits
host = ProgramHost()
session = host.program(Order(Path({str(folder)!r}), "p", "s", {{}}, ()), Limits())
shell = ["/bin/sh", "-c", "sleep 600 & sleep 600"]
command = host.command(shell, folder=Path("/"), environment={{}})
print(host._server.pid, flush=True)
session.serve(lambda call: call.answer({{"urn": "urn:pulumi:s"}}))
"""
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert owner.stdout
    server = psutil.Process(int(owner.stdout.readline()))
    deadline = time.monotonic() + 10
    while len(server.children(recursive=True)) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    family = [server, *server.children(recursive=True)]
    assert len(family) >= 6, family
    owner.kill()
    owner.wait()
    owner.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
