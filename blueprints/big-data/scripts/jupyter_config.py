# How the notebook runs: over TLS, with a token, and its kernels end when nobody uses them.
import os

c = get_config()  # noqa: F821 - Jupyter gives it
idle = int(os.environ["IDLE_SECONDS"])
c.ServerApp.ip = "0.0.0.0"  # noqa: S104 - the pod's own address
c.ServerApp.port = 8888
c.ServerApp.root_dir = "/data/notebooks"
c.ServerApp.certfile = "/credentials/tls.crt"
c.ServerApp.keyfile = "/credentials/tls.key"
c.ServerApp.open_browser = False
c.ServerApp.allow_remote_access = True
c.MappingKernelManager.cull_idle_timeout = idle
c.MappingKernelManager.cull_interval = max(min(idle // 2, 300), 1)
