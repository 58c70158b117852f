"""What would run here, as data. The rest of this package reads scripts and says what they need.

A need has a kind from `KINDS` and mostly a name (`("program", "git")`). A `Contract` says which kinds a build serves.
The first need that it does not serve, in the order of `KINDS`, is the reason why a script would not run.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from typing import NamedTuple

# In the order in which a reason counts as the first.
KINDS = (
    "front matter",  # the package is refused
    "arguments",
    "input files",
    "output files",
    "text output",  # standard output that is not one JSON value
    "state",  # files in the home folder
    "language",
    "syntax",  # the file cannot be read as its language
    "compiled package",
    "pure package",
    "module",  # of the language's own library
    "program",
    "threads",
    "network",
    "secrets",
)


class Need(NamedTuple):
    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


@dataclasses.dataclass(frozen=True)
class Contract:
    """What a build offers to a script."""

    name: str
    languages: frozenset[str]
    serves: frozenset[str]  # kinds of needs
    strict_front_matter: bool  # unknown keys and a missing `runtime` block are refused

    def refuses(self, need: Need) -> bool:
        if need.kind == "language":
            return need.name not in self.languages
        return need.kind not in self.serves


JSON_CONTRACT = Contract("JSON contract", frozenset({"python", "javascript"}), frozenset(), True)
COMMAND_CONTRACT = Contract(
    "command contract",
    frozenset({"python", "javascript"}),
    frozenset({"arguments", "input files", "output files", "text output", "state"}),
    False,
)

# Keys that the JSON contract's reader of front matter knows.
FRONT_MATTER_KEYS = frozenset(
    "name description license compatibility metadata allowed-tools version runtime io annotations".split()
)

EXTENSIONS = {
    **dict.fromkeys((".py",), "python"),
    **dict.fromkeys((".js", ".mjs", ".cjs"), "javascript"),
    **dict.fromkeys((".ts", ".mts", ".cts"), "typescript"),
    **dict.fromkeys((".sh", ".bash", ".zsh"), "shell"),
    **dict.fromkeys((".rb",), "ruby"),
    **dict.fromkeys((".pl",), "perl"),
    **dict.fromkeys((".ps1",), "powershell"),
    **dict.fromkeys((".php",), "php"),
    **dict.fromkeys((".r", ".R"), "r"),
    **dict.fromkeys((".lua",), "lua"),
}
# The program of an interpreter line, without a version at its end.
INTERPRETERS = {
    **{"python": "python", "node": "javascript", "ruby": "ruby", "perl": "perl"},
    **{"pwsh": "powershell", "php": "php", "Rscript": "r", "lua": "lua"},
    **dict.fromkeys(("tsx", "ts-node", "deno", "bun"), "typescript"),
    **dict.fromkeys(("sh", "bash", "zsh", "dash"), "shell"),
}
# Folders that hold no programs of the skill: material, tests, and other people's code.
SKIPPED_FOLDERS = frozenset(
    "assets fixtures node_modules references templates test tests testdata vendor __pycache__ __tests__ .git".split()
)

# The modules of Python that the runtime has, dotted, from the list that the runtime is built from.
PYTHON_MODULES = frozenset(
    (pathlib.Path(__file__).parents[2] / "runtimes" / "python" / "modules.txt").read_text("utf-8").split()
) | frozenset({"sys", "builtins", "gc", "errno", "marshal", "time", "itertools", "math", "cmath", "binascii", "zlib"})
PYTHON_LIBRARY = frozenset(sys.stdlib_module_names)
# These can be imported, and do nothing without a network.
PYTHON_NETWORK = frozenset(
    """ftplib http.client http.server imaplib nntplib poplib smtplib socket socketserver ssl telnetlib urllib.request
    xmlrpc""".split()
)
# Import names of packages with compiled code, their own or that of something they cannot do without.
COMPILED = frozenset(
    """PIL aiohttp anthropic av bcrypt cairosvg cryptography cv2 docx easyocr faiss fastapi fastmcp fitz gensim
    google.generativeai google.genai greenlet grpc h5py imageio imagehash instructor langchain librosa lightgbm
    lxml magic markitdown matplotlib mcp moviepy msgspec networkit numba numpy onnx onnxruntime openai orjson
    osgeo pandas pdf2image pdfminer pdfplumber pikepdf playwright plotnine polars pptx prophet psutil psycopg
    psycopg2 pyarrow pydantic pymupdf pynacl pyproj pypdfium2 rembg regex rpds scipy seaborn
    sentence_transformers shapely skimage sklearn soundfile spacy statsmodels tensorflow tiktoken tokenizers
    torch torchaudio torchvision transformers weasyprint whisper xgboost zstandard""".split()
)
# Packages that are of no use without a network, in Python and in JavaScript.
NETWORK_PACKAGES = frozenset(
    """aiohttp anthropic asana boto3 botocore feedparser github google googleapiclient httpx instaloader langchain mcp
    openai paramiko playwright praw pytube redis requests requests_html selenium slack_sdk stripe tavily
    telethon tweepy twilio urllib3 websocket websockets youtube_transcript_api yt_dlp axios node-fetch
    openai-api puppeteer puppeteer-core socket.io-client undici ws""".split()
)
COMPILED_JAVASCRIPT = frozenset(
    "better-sqlite3 canvas esbuild playwright puppeteer sharp sqlite3 @playwright/test".split()
)

# Built-in modules of Node that the runtime has.
NODE_MODULES = frozenset(
    """assert assert/strict buffer console crypto events fs fs/promises module os path path/posix perf_hooks process
    readline stream/consumers timers timers/promises url util""".split()
)
NODE_NETWORK = frozenset("dgram dns dns/promises http http2 https net tls".split())
NODE_LIBRARY = NODE_MODULES | NODE_NETWORK | frozenset(
    """async_hooks child_process cluster constants diagnostics_channel inspector path/win32 punycode querystring
    readline/promises repl sqlite stream stream/promises stream/web string_decoder sys test tty util/types v8 vm
    wasi worker_threads zlib""".split()
)  # fmt: skip

# Programs that shell scripts start, beyond the shell itself and core tools (coreutils, findutils, grep, sed, awk, jq).
PROGRAMS = frozenset(
    """aws az brew bun bundle cargo claude cmake code codex convert curl deno docker docker-compose dot ffmpeg ffprobe
    flyctl gcc gcloud gemini gh git go gradle gunzip helm identify java javac kubectl lsof magick make mmdc mvn
    mysql nc node npm npx open openssl osascript pandoc pdftoppm pdftotext perl php pip pip3 pkill pnpm
    powershell psql python python3 redis-cli rg rsync ruby scp screen shellcheck soffice sqlite3 ssh ssh-keygen
    sudo supabase systemctl terraform tmux tsx unzip uv uvx vercel wget wrangler xdg-open yarn yt-dlp zip""".split()
)
NETWORK_PROGRAMS = frozenset(
    """aws az brew curl docker flyctl gcloud gh helm kubectl nc npm npx pip pip3 pnpm rsync scp ssh supabase terraform
    uvx vercel wget wrangler yarn yt-dlp""".split()
)
