"""A little of everything in the library."""
import argparse, array, ast, base64, bisect, calendar, cmath, codecs, configparser, csv, dataclasses, datetime, decimal
import difflib, email.message, enum, fractions, glob, graphlib, gzip, hashlib, heapq, hmac, html, html.parser, io, ipaddress
import itertools, json, logging, pathlib, pickle, platform, pprint, queue, random, re, secrets, shelve, shlex, sqlite3
import statistics, string, struct, tarfile, textwrap, time, tomllib, unicodedata, unittest, urllib.parse, uuid
import xml.etree.ElementTree as ET, xml.dom.minidom, zipfile, zlib, zoneinfo, typing, contextlib, timeit, doctest, profile
import locale, importlib.metadata, importlib.resources, asyncio, cProfile, warnings

db = sqlite3.connect(":memory:")
db.execute("create table t(a)")
db.executemany("insert into t values (?)", [(1,), (2,)])
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("a.txt", "hello" * 100)
berlin = datetime.datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
log = io.StringIO()
logging.basicConfig(stream=log, format="%(levelname)s %(relativeCreated)d %(message)s")
logging.warning("careful")


async def work(n):
    await asyncio.sleep(n / 10)
    return n


async def together():
    async with asyncio.timeout(5):
        return await asyncio.gather(work(2), work(1))


print(json.dumps({
    "sql": db.execute("select sum(a) from t").fetchone()[0],
    "zip": zipfile.ZipFile(packed).read("a.txt").decode()[:5],
    "gzip": gzip.decompress(gzip.compress(b"x")).decode(),
    "sha256": hashlib.sha256(b"").hexdigest()[:8],
    "hashes": all(hashlib.new(n, b"").digest() for n in ("md5", "sha1", "sha3_256", "blake2b", "sha512")),
    "hmac": hmac.new(b"k", b"m", "sha256").hexdigest()[:8],
    "zone": [str(berlin.utcoffset()), berlin.tzname(), len(zoneinfo.available_timezones()) > 500],
    "decimal": str(decimal.Decimal(1) / 3)[:8],
    "toml": tomllib.loads("a = [1, 2]")["a"],
    "xml": ET.fromstring("<a><b c='1'/></a>")[0].attrib,
    "dom": xml.dom.minidom.parseString("<a/>").toxml()[-4:],
    "codecs": ["é".encode(c).hex() for c in ("utf-16-le", "latin-1", "cp1252", "cp437", "idna", "punycode", "utf-7")],
    "cjk": "日".encode("shift_jis").hex() + "日".encode("gb18030").hex() + "日".encode("euc-kr").hex(),
    "async": asyncio.run(together()),
    "log": log.getvalue().split()[0::2],
    "strptime": str(datetime.datetime.strptime("2026-01-02", "%Y-%m-%d").date()),
    "pickle": pickle.loads(pickle.dumps({"a": (1, 2)})) == {"a": (1, 2)},
    "big": len(str(3**9000)),
    "unicode": unicodedata.name("é"),
    "template": string.Template("$a").substitute(a=1),
    "csv": list(csv.reader(["a,\"b,c\""])),
    "platform": platform.python_implementation(),
    "url": urllib.parse.quote("é/"),
    "ast": ast.unparse(ast.parse("a+b")),
}))
