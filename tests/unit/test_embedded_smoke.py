import sqlalchemy as sa

from control_plane.kernel.database import Database


def test_the_embedded_server_answers(database: Database) -> None:
    with database.transaction():
        version = database.execute(sa.text("SHOW server_version_num")).scalar_one()
    assert int(version) >= 180000
