"""Borough Video: pages and API, workers, and their database."""

import pulumi
from database import Database
from own import OwnCluster
from platform_context import Context
from video import Video

context = Context()
cluster = OwnCluster(context)
account = cluster.account()
database = Database(cluster, account, "video", ["api", "worker"])
video = Video(cluster, account, database)
pulumi.export("namespace", cluster.namespace)
pulumi.export("url", video.url)
pulumi.export("administrator", video.ADMINISTRATOR)
pulumi.export("administrator_password", context.derive("administrator"))
