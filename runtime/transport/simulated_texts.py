"""What the simulated models say: plausible at a glance, and plainly not a model's.

The conversation decides what is wanted: a verdict on candidates, a critique, a value for a JSON
Schema, an improved answer, one made of several, or an answer.  A heavier model says more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

import msgspec
from msgspec import Struct

from runtime.transport.instances import UNDECIDED, Schema, find_schema, instance, is_verdict

_MOST_READ = 200_000
"""Characters of a conversation that are looked at from either end."""


_CANDIDATE = re.compile(r'<candidate label="\w+" key="\w+">\n(.*?)\n</candidate key', re.DOTALL)


class Turn(Struct):
    role: str
    content: str


def reply(weight: int, turns: Sequence[Turn], random: Random) -> str:
    """The text of a simulated model's answer to a conversation."""
    last = turns[-1].content[-_MOST_READ:] if turns else ""
    texts = [turn.content[-_MOST_READ:] for turn in turns if turn.role != "assistant"]
    written = next((turn.content for turn in reversed(turns) if turn.role == "assistant"), "")
    if schema := _verdict_schema(texts):
        return _verdict(schema, texts, random)
    drafts = _CANDIDATE.findall(last)
    improving = bool(written) and not drafts and "improved answer" in last
    if not improving and not drafts and '"severity"' in last and '"findings"' in last:
        return _critique(written)
    if wanted := _output_schema(turns):
        return _json(instance(wanted, random, _words))
    if drafts:
        depth = max(draft.count("## ") for draft in drafts)
        return _answer(turns, depth + 1, f"answer made of {len(drafts)} others")
    if improving:
        return _answer(turns, written.count("## ") + 2, "improved answer")
    return _answer(turns, max(weight - 3, 2) + random.randint(0, 1), "answer")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# --- JSON -------------------------------------------------------------------------------------


def _output_schema(turns: Sequence[Turn]) -> Schema | None:
    """The schema that an answer must meet: the newest that the instructions hold."""
    instructions = [turn.content for turn in turns if turn.role in ("system", "developer")]
    for text in (turns[-1].content if turns else "", *reversed(instructions)):
        if "JSON Schema" in text and (schema := find_schema(text)):
            return schema
    return None


def _words(name: str) -> str:
    return f"simulated {name.replace('_', ' ')}".strip()


# --- verdicts ---------------------------------------------------------------------------------


def _verdict_schema(texts: Sequence[str]) -> Schema | None:
    """The newest one."""
    for text in reversed(texts):
        if '"choice"' in text and (schema := find_schema(text)) and is_verdict(schema):
            return schema
    return None


def _sizes(text: str) -> dict[str, int]:
    """How much each candidate of a ballot says, by label."""
    fenced = [part.partition("</candidate")[0] for part in text.split('<candidate label="')[1:]]
    return {part.partition('"')[0]: len(part) for part in fenced}


def _verdict(schema: Schema, texts: Sequence[str], random: Random) -> str:
    """For the candidate that says most, as far as candidates can be told apart."""
    value = instance(schema, random, lambda name: _SAID.get(name, _words(name)))
    if not isinstance(value, dict):
        return _json(value)
    labels = [x for x in schema["properties"]["choice"]["enum"] if x not in UNDECIDED]
    sizes = {label: size for text in texts for label, size in _sizes(text).items()}
    best = max(labels, key=lambda label: sizes.get(label, 0))
    second = max((sizes.get(label, 0) for label in labels if label != best), default=0)
    margin = "narrow" if second * _NARROW > sizes.get(best, 0) else "clear"
    others = ", ".join(label for label in labels if label != best) or "nothing"
    comparison = (
        f"Simulated judgement: {best} covers the most ground and names its limits; "
        f"compared with it, less is found in {others}."
    )
    said = {"choice": best, "comparison": comparison}
    return _json({**value, **said, **({"margin": margin} if "margin" in value else {})})


_NARROW = 1.1
"""An answer that says a tenth more is hardly better."""

_SAID = {"finding": "Answers the question; says more about the structure than about failures."}


# --- critiques --------------------------------------------------------------------------------

_FINDINGS = (
    ("## Errors", "major", "Errors have no common shape", "Only successful answers are described",
     "Name one error body, with a code, a text and the field at fault"),
    ("If-Match", "major", "Concurrent changes overwrite each other", "Updates carry no version",
     "Require If-Match with the entity tag, and answer 412 when it is stale"),
    ("## Paging", "minor", "Lists can grow without bound", "No limit is stated for collections",
     "Page by cursor, with a limit of 100"),
    ("Sunset", "minor", "It does not say how it will change", "No rule for removing a field",
     "Announce removals ahead, and give them a version"),
    ("## Risks", "minor", "It does not say what could go wrong", "Every step is assumed to succeed",
     "Name the three likeliest ways to fail, and the first sign of each"),
)  # fmt: skip
"""What a critique finds where the first of each is not written; the rest are a finding's words."""


def _critique(written: str) -> str:
    keys = ("severity", "claim", "evidence", "fix")
    missing = [words for mark, *words in _FINDINGS if mark not in written]
    findings = [dict(zip(keys, words, strict=True)) for words in missing[:4]]
    summary = f"Simulated critique: sound in outline, with {len(findings)} points to settle."
    return _json({"findings": findings, "summary": summary})


# --- answers ----------------------------------------------------------------------------------

_SUBJECT = re.compile(
    r"\bfor (?:an? |the |my |our )?([\w -]{2,60}?)(?: app| application| service)?\s*[.?!]*$",
    re.IGNORECASE,
)

_API = """\
## Resources
`/{things}` holds the {thing} itself, `/users` owns it, `/{things}/{{id}}/comments` hangs below it.
Ids are opaque strings.

## Operations
- `GET /v1/{things}?status=open&limit=50&cursor=…` lists
- `POST /v1/{things}` creates: 201 with `Location`
- `GET`, `PATCH`, `DELETE /v1/{things}/{{id}}`

## A {thing}
```json
{{"id": "{thing}_7f3", "title": "A first {thing}", "status": "open", "due": "2026-12-01"}}
```

## Errors
One shape everywhere: `{{"error": {{"code", "message", "field"}}}}`, with 400, 401, 403, 404, 409,
412, 422 and 429.

## Access
Bearer tokens with scopes `{things}:read` and `{things}:write`. A {thing} is visible to its owner
and to those it is shared with.

## Paging and filtering
Cursors rather than offsets, at most 100 a page; filters are query parameters, `sort=-due` sorts.

## Concurrency and retries
`ETag` with `If-Match` on every change; `Idempotency-Key` on every `POST`, remembered for a day.

## Change over time
Additions need no new version; removals get one, announced six months ahead by a `Sunset` header.

## What is left open
Attachments, bulk changes and webhooks: each can be added without touching what is above."""

_GENERAL = """\
## Goal
A first version of {subject} that someone can use, and a measure that tells whether it helps.

## Steps
1. Write down who needs {subject} and what they do today
2. Build the smallest part that changes that
3. Measure, then widen

## Order of work
The riskiest assumption first; whatever can be bought or reused last.

## Risks
Unclear ownership, data that cannot be migrated back, a deadline nobody checked.

## How to check it
One figure for success, one for harm, both looked at weekly.

## What it costs
Two people for six weeks; a third of it is testing with real users.

## Alternatives
Doing nothing for a quarter; buying it; doing only step 1. Each is cheaper and answers less.

## Reversal
Every step can be undone until the data has moved; after that, by restoring.

## What is left open
Who decides when the figures disagree."""


def _answer(turns: Sequence[Turn], depth: int, kind: str) -> str:
    """The first `depth` sections of what can be said about the first question."""
    question = next((turn.content for turn in turns if turn.role == "user"), "")[:2_000].strip()
    found = _SUBJECT.search(question.splitlines()[0] if question else "")
    subject = found[1].strip() if found else "what was asked"
    thing = re.sub(r"\W.*", "", subject if found else "").lower() or "item"
    is_api = re.search(r"\bAPI\b", question, re.IGNORECASE)
    names = {"thing": thing, "things": _plural(thing), "subject": subject}
    sections = re.split(r"\n\n(?=## )", _API if is_api else _GENERAL)[:depth]
    opening = f"*Simulated {kind}: no model was asked, and nothing was sent anywhere.*"
    title = f"# {'A REST API' if is_api else 'A plan'} for {subject}"
    return "\n\n".join([opening, title, *(section.format(**names) for section in sections)])


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}s"
