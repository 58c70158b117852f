"""Reviews SQL. Reads one JSON object on standard input, writes one on standard output.

To run it as an ordinary program: `PYTHONPATH=vendor python3 scripts/main.py`.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import sqlparse
from sqlparse import tokens as T

SEVERITIES = {
    "delete-without-where": "error",
    "update-without-where": "error",
    "null-comparison": "error",
    "drop": "warning",
    "truncate": "warning",
    "insert-without-columns": "warning",
    "select-star": "advice",
    "leading-wildcard": "advice",
}


@dataclass(frozen=True)
class Word:
    """A token that is neither white space nor comment."""

    kind: object
    text: str
    line: int
    depth: int

    @property
    def upper(self) -> str:
        return self.text.upper()


@dataclass(frozen=True)
class Finding:
    rule: str
    line: int
    message: str

    def as_json(self) -> dict:
        return {"rule": self.rule, "severity": SEVERITIES[self.rule], "line": self.line, "message": self.message}


def words(statement: sqlparse.sql.Statement, line: int) -> Iterator[Word]:
    """The statement's words with their lines and how many brackets are open."""
    depth = 0
    for token in statement.flatten():
        depth -= token.value == ")"
        if not token.is_whitespace and token.ttype not in T.Comment:
            yield Word(token.ttype, token.value, line, depth)
        depth += token.value == "("
        line += token.value.count("\n")


def kind_of(statement: sqlparse.sql.Statement, found: list[Word]) -> str:
    """`SELECT`, `DELETE` and so on; after WITH, what the statement does in the end."""
    if found[0].upper == "WITH":
        verbs = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE")
        return next((word.upper for word in found if word.depth == 0 and word.upper in verbs), "UNKNOWN")
    return "TRUNCATE" if found[0].upper == "TRUNCATE" else statement.get_type()


def whole_statement(kind: str, found: list[Word]) -> Iterator[Finding]:
    """What is wrong with the statement as a whole."""
    verb = next((word for word in found if word.upper == kind and word.depth == 0), found[0])
    after = found[found.index(verb) + 1 :]
    if kind in ("DELETE", "UPDATE") and not any(word.upper == "WHERE" and word.depth == 0 for word in after):
        yield Finding(f"{kind.lower()}-without-where", verb.line, f"{kind} without WHERE meets every row of the table")
    if kind in ("DROP", "TRUNCATE"):
        yield Finding(kind.lower(), verb.line, f"{kind} cannot be undone once it is committed")
    if kind == "INSERT":
        start = next((i for i, word in enumerate(after) if word.upper in ("VALUES", "SELECT", "WITH")), len(after))
        if start < len(after) and not any(word.text == "(" for word in after[:start]):
            yield Finding("insert-without-columns", verb.line, "INSERT names no columns")


def word_by_word(found: list[Word]) -> Iterator[Finding]:
    """What is wrong wherever it stands. In SET, `= NULL` is an assignment."""
    in_set = False
    for before, word, after in zip([None, *found], found, [*found[1:], None]):
        if word.depth == 0 and word.upper in ("SET", "WHERE"):
            in_set = word.upper == "SET"
        if word.kind in T.Wildcard and before and before.upper in ("SELECT", "DISTINCT", ",", "."):
            yield Finding("select-star", word.line, "SELECT * returns whatever columns the table has that day")
        if after is None:
            continue
        if word.text in ("=", "<>", "!=") and after.upper == "NULL" and not (in_set and word.depth == 0):
            yield Finding("null-comparison", word.line, f"{word.text} NULL is never true; write IS NULL or IS NOT NULL")
        if word.upper.endswith("LIKE") and after.text.startswith(("'%", "'_")):
            yield Finding("leading-wildcard", after.line, f"no ordinary index helps with LIKE {after.text}")


def review(sql: str, ignore: set[str]) -> list[dict]:
    statements, line = [], 1
    for statement in sqlparse.parse(sql):
        found = list(words(statement, line))
        line += str(statement).count("\n")
        if not found or found[0].text == ";":
            continue
        kind = kind_of(statement, found)
        findings = [*whole_statement(kind, found), *word_by_word(found)]
        statements.append(
            {
                "line": found[0].line,
                "kind": kind,
                "formatted": sqlparse.format(str(statement).strip(), reindent=True),
                "findings": [one.as_json() for one in findings if one.rule not in ignore],
            }
        )
    return statements


def main() -> int:
    request = json.load(sys.stdin)
    sql, ignore = request.get("sql"), request.get("ignore", [])
    if not isinstance(sql, str):
        print("error: `sql` must be a text", file=sys.stderr)
        return 2
    if unknown := sorted(set(ignore) - set(SEVERITIES)):
        print(f"error: `ignore`: no rule is called {unknown[0]!r}; there are {', '.join(SEVERITIES)}", file=sys.stderr)
        return 2
    statements = review(sql, set(ignore))
    found = {finding["severity"] for statement in statements for finding in statement["findings"]}
    worst = next((severity for severity in ("error", "warning", "advice") if severity in found), "none")
    json.dump({"statements": statements, "worst": worst}, sys.stdout, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
