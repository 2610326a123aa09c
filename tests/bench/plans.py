"""How PostgreSQL answered the network's queries: plans of the daemon's own sessions, with its settings and as it prepared
them, written by auto_explain while a load asks a few; and what must be true of them.
"""
import json
import re
import subprocess
import time

from bench import BUILD, MERCHANTS, OFTEN_PURCHASES, call

SETTINGS = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
            "auto_explain.log_analyze": "on", "auto_explain.log_buffers": "on", "auto_explain.log_nested_statements": "on",
            "auto_explain.log_format": "json"}
ROLE = "loyal_reader"
ASKED = {"query_member": 5, "never_met_page": 25, "count_members": 5}
EXAMINED_MAX = 250  # members, by a page
HEAD = re.compile(r"^\S+ \S+ UTC \[\d+\] " + ROLE + r"@\S+ .*LOG:  duration: ([\d.]+) ms  plan:$")
TABLE = re.compile(r"^(entry|basket_line|consent|member)(_\d{4}q\d)?$")
NOISE = re.compile(r"\(current_setting\('loyal\.(\w+)'::text\)\)::(?:integer|smallint|timestamp with time zone)")


# ---- the log ----------------------------------------------------------------------------------------------------


def read(text):
    """(milliseconds, query, its topmost node) of each plan in a server's log."""
    lines = iter(text.splitlines() + [""])
    line = next(lines)
    for following in lines:
        head, body = HEAD.match(line), []
        while head and following.startswith("\t"):
            body.append(following[1:])
            following = next(lines)
        if head:
            plan = json.loads("\n".join(body))
            yield float(head.group(1)), plan["Query Text"], plan["Plan"]
        line = following


def kind_of(query):
    """A row of the bench, or None."""
    if "insert into loyal.disclosure" in query:
        return "never_met_page" if "loyal.member_granting" in query else "query_member"
    is_count = "count(*) filter (where b.has_granted" in query or "count(*) from loyal.member_granting" in query
    return "count_members" if is_count else None


def restarted(stack):
    stack.command("stop")
    stack.command("start")


def collect(stack, members):
    """Plans by row: of a few queries of each kind, sent through the daemon."""
    log = stack.folder / "cluster/log"
    for name, value in SETTINGS.items():
        stack.query(f"alter role {ROLE} set {name} = '{value}'")
    restarted(stack)
    began = log.stat().st_size
    try:
        for kind, count in ASKED.items():
            words = stack.load("--kind", kind, "--operations", count, "--merchants", MERCHANTS, "--members", members,
                               "--connections", 1, "--in-flight", 1, "--seconds", 120, "--warmup", 0,
                               "--seed", time.time_ns())
            call(BUILD / "tests/bench/load", *words, seconds=150, stderr=subprocess.DEVNULL)
    finally:
        for name in SETTINGS:
            stack.query(f"alter role {ROLE} reset {name}")
        restarted(stack)
    plans = {kind: [] for kind in ASKED}
    with log.open(encoding="utf-8") as file:
        file.seek(began)
        for ms, query, node in read(file.read()):
            kind = kind_of(query)
            if kind:
                plans[kind].append((ms, node))
    return plans


# ---- what must be true ------------------------------------------------------------------------------------------


def walk(node, above=()):
    yield node, above
    for child in node.get("Plans", ()):
        yield from walk(child, (*above, node))


def loops(node):
    return node.get("Actual Loops", 0)


def examined(node):
    return loops(node) * sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter",
                                                             "Rows Removed by Index Recheck"))


def condition(node):
    return node.get("Index Cond") or " ".join(condition(child) for child in node.get("Plans", ())
                                              if child["Node Type"].startswith("Bitmap"))


def columns(text):
    return set(re.findall(r"\b(bucket|member_id|recipient|purpose|place|merchant_id)\b", text))


def scans(top):
    """Scans of the tables that grow: the node, the table, what is above it."""
    for node, above in walk(top):
        table = TABLE.match(node.get("Relation Name", ""))
        if table and node["Node Type"] != "ModifyTable":
            yield node, table.group(1), above


def is_bound(kind, table, by):
    """Whether a condition on these columns leads to the rows that are asked for."""
    if {"bucket", "member_id"} <= by:
        return True
    if table == "consent":
        return {"recipient", "purpose"} <= by and (kind == "count_members" or "place" in by)
    return kind == "count_members" and (table == "member" or table == "entry" and "merchant_id" in by)


def faults(kind, top):
    references = {}
    for node, table, above in scans(top):
        name, by = f"{kind}: {node['Node Type']} on {node['Relation Name']}", columns(condition(node))
        if node["Node Type"] == "Seq Scan":
            yield f"{name}: no index"
        # An empty partition costs the same whichever way it is read.
        elif not is_bound(kind, table, by) and not (kind == "count_members" and examined(node) == 0):
            yield f"{name}: not by {condition(node) or 'any condition'}"
        if kind == "query_member" and table == "entry":
            parent = id(above[-1])
            references[parent] = references.get(parent, 0) + examined(node)
        if kind == "never_met_page" and "place" in by:
            limit = next((up for up in reversed(above) if up["Node Type"] == "Limit"), None)
            if not limit or limit.get("Actual Rows", 0) * loops(limit) > EXAMINED_MAX:
                yield f"{name}: of more than {EXAMINED_MAX} members"
            if examined(node) > 2 * EXAMINED_MAX:
                yield f"{name}: {examined(node)} grants examined"
    for count in references.values():
        if count > OFTEN_PURCHASES + 1:
            yield f"{kind}: {count} entries examined, of a member who has {OFTEN_PURCHASES + 1}"


def all_faults(plans):
    found = [f"{kind}: no plan was logged" for kind, rows in plans.items() if not rows]
    return found + sorted({fault for kind, rows in plans.items() for _, top in rows for fault in faults(kind, top)})


# ---- for people -------------------------------------------------------------------------------------------------


def tree(node, depth=0):
    """Lines: what was done, without what was not and without partitions that are empty."""
    if loops(node) == 0 or re.search(r"_\d{4}q\d$", node.get("Relation Name", "")) and examined(node) == 0:
        return
    name = " ".join(node[key] for key in ("Subplan Name", "Node Type", "Index Name", "CTE Name") if key in node)
    where = f" on {node['Relation Name']}" if "Relation Name" in node else ""
    yield (f"{'  ' * depth}{name}{where}: {node['Actual Rows']} rows, {loops(node)} times,"
           f" {node['Actual Total Time'] * loops(node):.2f} ms,"
           f" {node['Shared Hit Blocks'] + node['Shared Read Blocks']} pages")
    for key in ("Index Cond", "Filter"):
        if key in node:
            yield f"{'  ' * depth}  {key}: {NOISE.sub(chr(92) + '1', node[key])}"
    for child in node.get("Plans", ()):
        yield from tree(child, depth + 1)


def report(plans):
    """For bench.json: of each row the slowest, and how long each took."""
    return {kind: {"ms": [ms for ms, _ in rows], "slowest": list(tree(max(rows, key=lambda row: row[0])[1]))}
            for kind, rows in plans.items() if rows}
