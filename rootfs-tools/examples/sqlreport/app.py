"""Builds an SQLite database from the rows of the payload and answers with a report of it."""

import os
import sqlite3
import tempfile

SCHEMA = "CREATE TABLE sales (day TEXT NOT NULL, region TEXT NOT NULL, product TEXT NOT NULL, units INT, cents INT)"

REPORT = """
    SELECT region, count(*), sum(units), sum(units * cents) / 100.0, count(DISTINCT product), max(day)
    FROM sales GROUP BY region ORDER BY sum(units * cents) DESC
"""
COLUMNS = ("region", "sales", "units", "revenue", "products", "last_day")


def handler(event, context):
    rows = event["rows"]
    with tempfile.TemporaryDirectory(prefix="report-", dir="/tmp") as directory:
        path = os.path.join(directory, "sales.db")
        connection = sqlite3.connect(path)
        try:
            with connection:
                connection.execute(SCHEMA)
                connection.executemany("INSERT INTO sales VALUES (:day, :region, :product, :units, :cents)", rows)
                connection.execute("CREATE INDEX by_region ON sales (region)")
            regions = [dict(zip(COLUMNS, row)) for row in connection.execute(REPORT)]
        finally:
            connection.close()
        size = os.path.getsize(path)
    return {"rows": len(rows), "database_bytes": size, "regions": regions}
