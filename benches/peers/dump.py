"""A plain dump of the benchmark's join into Parquet, as people write it: `dump.py adbc|psycopg URL FOLDER`."""

from __future__ import annotations

import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

from export import JOIN

#: Reactions as text: not every driver knows arrays of arrays.
STATEMENT = JOIN.replace("f.reactions\n", "f.reactions::text as reactions\n")
#: Rows that a client holds at a time.
BATCH_ROWS = 10_000


def adbc(url: str, file: pathlib.Path) -> None:
    import adbc_driver_postgresql.dbapi as driver

    with driver.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(STATEMENT)
        reader = cursor.fetch_record_batch()
        with pq.ParquetWriter(file, reader.schema, compression="zstd", compression_level=1) as writer:
            for batch in reader:
                writer.write_batch(batch)


def psycopg(url: str, file: pathlib.Path) -> None:
    import psycopg as driver

    writer = None
    with driver.connect(url) as connection, connection.cursor("dump", binary=True) as cursor:
        cursor.itersize = BATCH_ROWS
        cursor.execute(STATEMENT)
        names = [column.name for column in cursor.description]
        while rows := cursor.fetchmany(BATCH_ROWS):
            columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
            table = pa.table(columns)
            if writer is None:
                writer = pq.ParquetWriter(file, table.schema, compression="zstd", compression_level=1)
            writer.write_table(table.cast(writer.schema))
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    name, url, folder = sys.argv[1:]
    {"adbc": adbc, "psycopg": psycopg}[name](url, pathlib.Path(folder) / "dump.parquet")
