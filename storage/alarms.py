"""What is wrong just now and was told: once when it begins, and again only after it ended."""

from storage.transaction import Tx


def begin(tx: Tx, name: str) -> bool:
    """Note that something is wrong; False if it was so already."""
    sql = "INSERT INTO alarms (name, since_at) VALUES (:name, :now) ON CONFLICT DO NOTHING"
    return tx.run(sql, name=name) == 1


def end(tx: Tx, name: str) -> None:
    """Note that it is well again."""
    tx.run("DELETE FROM alarms WHERE name = :name", name=name)
