"""Borough Exchange: pages and API, workers, gateways, and their database."""

import pulumi
from database import Database
from exchange import Exchange
from own import OwnCluster
from platform_context import Context

context = Context()
cluster = OwnCluster(context)
account = cluster.account()
database = Database(cluster, account, "exchange", ["api", "worker", "gateway"])
exchange = Exchange(cluster, account, database)
pulumi.export("namespace", cluster.namespace)
pulumi.export("url", exchange.url)
pulumi.export("gateway_url", exchange.gateway_url)
pulumi.export("administrator", exchange.ADMINISTRATOR)
pulumi.export("administrator_password", context.derive("administrator"))
