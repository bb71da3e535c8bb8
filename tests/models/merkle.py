"""RFC 6962, section 2, as its recursive definitions stand there: what policy/log.c is held against.

Run: prints the known answers of tests/unit_policy_log.c. Entry i is the i bytes i, i, ..., i."""
import hashlib


def entries(n):
    return [bytes([i]) * i for i in range(n)]


def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def root(d):
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return hashlib.sha256(b"\0" + d[0]).digest()
    k = split(len(d))
    return hashlib.sha256(b"\1" + root(d[:k]) + root(d[k:])).digest()


def path(m, d):
    if len(d) == 1:
        return []
    k = split(len(d))
    if m < k:
        return path(m, d[:k]) + [root(d[k:])]
    return path(m - k, d[k:]) + [root(d[:k])]


def subproof(m, d, b):
    if m == len(d):
        return [] if b else [root(d)]
    k = split(len(d))
    if m <= k:
        return subproof(m, d[:k], b) + [root(d[k:])]
    return subproof(m - k, d[k:], False) + [root(d[:k])]


def proof(m, d):
    return subproof(m, d, True) if m else []


def digest(limit):
    """SHA-256 of every root, inclusion proof and consistency proof of all sizes up to the limit."""
    h = hashlib.sha256()
    for n in range(limit + 1):
        d = entries(n)
        h.update(root(d))
        for m in range(n):
            h.update(b"".join(path(m, d)))
        for m in range(n + 1):
            h.update(b"".join(proof(m, d)))
    return h.hexdigest()


if __name__ == "__main__":
    for size in (0, 1, 2, 3, 7, 8, 70):
        print(size, root(entries(size)).hex())
    print("all to 70:", digest(70))
