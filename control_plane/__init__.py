"""Borough's control plane: what the city runs."""

from foundation.products import Product, declare

declare(
    Product(
        __name__,
        title="Borough",
        program="borough",
        cookie="borough_session",
        parts=("marketplace",),
        # Whole sentences, because pages have them translated.
        unknown={
            "binding": "there is no such binding",
            "contract": "there is no such contract",
            "deployment": "there is no such deployment",
            "finding": "there is no such finding",
            "line": "there is no such line of a statement",
            "order": "there is no such order",
            "organisation": "there is no such organisation",
            "plan": "there is no such plan",
            "playbook run": "there is no such run of a playbook",
            "service": "there is no such service",
            "statement": "there is no such statement",
            "system": "there is no such system",
            "tenancy": "there is no such tenancy",
            "waiver": "there is no such waiver",
        },
    )
)
