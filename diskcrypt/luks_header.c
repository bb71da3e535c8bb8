/* luks_header.c - the binary part and the JSON of a LUKS2 header, against the profile. */
#include "diskcrypt/luks_header.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"

enum { BINARY = 4096, JSON_MAX = LUKS_COPY - BINARY, CSUM_AT = 448, CSUM = 64, DEPTH = 5, PATH = 64 };

bool luks_header_is(const void *p, size_t n)
{
    return n >= 6 && memcmp(p, "LUKS\xba\xbe", 6) == 0;
}

void luks_header_token(char out[static LUKS_TOKEN], const struct luks_owner *owner)
{
    char id[65];
    hex_from(id, owner->service_id, 32);
    snprintf(out, LUKS_TOKEN, "{\"type\":\"holdfast\",\"keyslots\":[],\"service\":\"%s\",\"epoch\":\"%lu\",\"profile\":\"1\"}",
             id, (unsigned long)owner->epoch);
}

/* ---- the JSON, as a set of paths with their values ---- */

enum expect { EXACT, BASE64_32, SERVICE, EPOCH };
struct row { const char *path, *value; enum expect expect; };

/* All that may and must be there, each once, in any order. Values as they are written,
 * strings with their quotes. */
static const struct row profile_1[] = {
    { "keyslots", "{}", EXACT },
    { "tokens.0.type", "\"holdfast\"", EXACT },
    { "tokens.0.keyslots", "[]", EXACT },
    { "tokens.0.service", NULL, SERVICE },
    { "tokens.0.epoch", NULL, EPOCH },
    { "tokens.0.profile", "\"1\"", EXACT },
    { "segments.0.type", "\"crypt\"", EXACT },
    { "segments.0.offset", "\"1048576\"", EXACT },
    { "segments.0.size", "\"dynamic\"", EXACT },
    { "segments.0.iv_tweak", "\"0\"", EXACT },
    { "segments.0.encryption", "\"aes-xts-plain64\"", EXACT },
    { "segments.0.sector_size", "4096", EXACT },
    { "digests.0.type", "\"pbkdf2\"", EXACT },
    { "digests.0.keyslots", "[]", EXACT },
    { "digests.0.segments.[0]", "\"0\"", EXACT },
    { "digests.0.hash", "\"sha256\"", EXACT },
    { "digests.0.iterations", "1000", EXACT },
    { "digests.0.salt", NULL, BASE64_32 },
    { "digests.0.digest", NULL, BASE64_32 },
    { "config.json_size", "\"12288\"", EXACT },
    { "config.keyslots_size", "\"262144\"", EXACT },
};
enum { ROWS = sizeof profile_1 / sizeof *profile_1 };

struct walk {
    struct rd r;
    const struct luks_owner *owner;
    char      path[PATH];
    uint32_t  seen;                       /* bit set of rows */
};
_Static_assert(ROWS <= 32, "one bit for each row");

static bool is_base64_32(const char *v, size_t n)
{
    uint8_t bytes[32];
    size_t got = 0;
    return n == 46 && v[0] == '"' && v[45] == '"' && !base64_to(bytes, sizeof bytes, &got, v + 1, 44).code && got == 32;
}

static err leaf(struct walk *w, const char *value, size_t n)
{
    char own[80];
    size_t i = 0;
    while (i < ROWS && strcmp(profile_1[i].path, w->path) != 0) i++;
    if (i == ROWS) FAIL(E_FORMAT, "the LUKS header has `%s`, which no profile has", w->path);
    if (w->seen & 1u << i) FAIL(E_FORMAT, "the LUKS header has `%s` twice", w->path);
    w->seen |= 1u << i;
    const struct row *row = &profile_1[i];
    if (row->expect == BASE64_32) {
        if (!is_base64_32(value, n)) FAIL(E_FORMAT, "the LUKS header's `%s` is not 32 bytes in base64", row->path);
        return OK;
    }
    if (row->expect == SERVICE) {
        char id[65];
        hex_from(id, w->owner->service_id, 32);
        snprintf(own, sizeof own, "\"%s\"", id);
    } else if (row->expect == EPOCH) {
        snprintf(own, sizeof own, "\"%lu\"", (unsigned long)w->owner->epoch);
    }
    const char *want = row->expect == EXACT ? row->value : own;
    if (strlen(want) == n && memcmp(want, value, n) == 0) return OK;
    FAIL(row->expect == EXACT ? E_FORMAT : E_AUTH, "the LUKS header's `%s` is %.*s, not %s", row->path, (int)(n < 80 ? n : 80), value, want);
}

static int peek(const struct walk *w)
{
    return w->r.left ? w->r.p[0] : -1;
}

static bool take(struct walk *w, char c)
{
    if (peek(w) != c) return false;
    (void)rd_u8(&w->r);
    return true;
}

/* A string of plain characters, with its quotes; escapes are not needed and not read. */
static err text(struct walk *w, const char **s, size_t *n)
{
    *s = (const char *)w->r.p;
    if (!take(w, '"')) FAIL(E_FORMAT, "the LUKS header's JSON is not well formed below `%s`", w->path);
    for (*n = 2; ; ++*n) {
        uint8_t c = rd_u8(&w->r);
        if (!rd_ok(&w->r) || c < 0x20 || c > 0x7e || c == '\\') FAIL(E_FORMAT, "the LUKS header's JSON has an odd string below `%s`", w->path);
        if (c == '"') return OK;
    }
}

static err value(struct walk *w, unsigned depth);

/* Go one level down: `w->path` gets `.name` while the member is read. */
static err member(struct walk *w, const char *name, size_t n, unsigned depth)
{
    size_t before = strlen(w->path);
    if (before + n + 2 > sizeof w->path) FAIL(E_FORMAT, "the LUKS header's JSON has a name that is too long below `%s`", w->path);
    size_t at = before;
    if (before) w->path[at++] = '.';
    memcpy(w->path + at, name, n);
    w->path[at + n] = 0;
    TRY(value(w, depth + 1));
    w->path[before] = 0;
    return OK;
}

static err object(struct walk *w, unsigned depth)
{
    if (take(w, '}')) return leaf(w, "{}", 2);
    do {
        const char *name;
        size_t n;
        TRY(text(w, &name, &n));
        if (!take(w, ':')) FAIL(E_FORMAT, "the LUKS header's JSON is not well formed below `%s`", w->path);
        TRY(member(w, name + 1, n - 2, depth));
    } while (take(w, ','));
    if (!take(w, '}')) FAIL(E_FORMAT, "the LUKS header's JSON is not well formed below `%s`", w->path);
    return OK;
}

static err array(struct walk *w, unsigned depth)
{
    if (take(w, ']')) return leaf(w, "[]", 2);
    for (unsigned i = 0; i == 0 || take(w, ','); i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "[%u]", i);
        TRY(member(w, name, (size_t)n, depth));
    }
    if (!take(w, ']')) FAIL(E_FORMAT, "the LUKS header's JSON is not well formed below `%s`", w->path);
    return OK;
}

static err value(struct walk *w, unsigned depth)
{
    const char *s = (const char *)w->r.p;
    size_t n = 0;
    if (depth > DEPTH) FAIL(E_FORMAT, "the LUKS header's JSON is too deep at `%s`", w->path);
    if (take(w, '{')) return object(w, depth);
    if (take(w, '[')) return array(w, depth);
    if (peek(w) == '"') {
        TRY(text(w, &s, &n));
        return leaf(w, s, n);
    }
    while (peek(w) >= '0' && peek(w) <= '9') {
        (void)rd_u8(&w->r);
        n++;
    }
    if (!n) FAIL(E_FORMAT, "the LUKS header's JSON has an odd value at `%s`", w->path);
    return leaf(w, s, n);
}

static bool zeros(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= p[i];
    return !any;
}

static err json_check(const uint8_t *json, const struct luks_owner *owner)
{
    size_t n = strnlen((const char *)json, JSON_MAX);
    struct walk w = { .r = rd_of(json, n), .owner = owner };
    if (!zeros(json + n, JSON_MAX - n)) FAIL(E_FORMAT, "bytes hide behind the LUKS header's JSON");
    if (peek(&w) != '{') FAIL(E_FORMAT, "the LUKS header's JSON is no object");
    TRY(value(&w, 0));
    TRY(rd_end(&w.r, "the LUKS header's JSON"));
    for (size_t i = 0; i < ROWS; i++)
        if (!(w.seen & 1u << i)) FAIL(E_FORMAT, "the LUKS header lacks `%s`", profile_1[i].path);
    return OK;
}

/* ---- the binary part ---- */

static bool is_uuid(const uint8_t *p)
{
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f');
        if (dash ? p[i] != '-' : !hex) return false;
    }
    return zeros(p + 36, 4);
}

static bool padded(const uint8_t *p, size_t n, const char *word)
{
    size_t len = strlen(word);
    return memcmp(p, word, len) == 0 && zeros(p + len, n - len);
}

static err checksum(const uint8_t *copy)
{
    static const uint8_t none[CSUM];
    const struct bytes pieces[] = { { copy, CSUM_AT }, { none, CSUM }, { copy + CSUM_AT + CSUM, LUKS_COPY - CSUM_AT - CSUM } };
    uint8_t sum[32];
    sha256_of(sum, pieces, 3);
    if (memcmp(sum, copy + CSUM_AT, 32) != 0 || !zeros(copy + CSUM_AT + 32, CSUM - 32)) FAIL(E_FORMAT, "the LUKS header's checksum is wrong");
    return OK;
}

/* Out: *seq, which both copies must share: the newer of two would win, and must not be the unseen one. */
static err binary_check(uint64_t *seq, const uint8_t *copy, uint64_t at)
{
    struct rd r = rd_of(copy, BINARY);
    const uint8_t *magic = rd_bytes(&r, 6);
    uint16_t version = rd_u16be(&r);
    uint64_t size = rd_u64be(&r);
    *seq = rd_u64be(&r);
    const uint8_t *label = rd_bytes(&r, 48), *algorithm = rd_bytes(&r, 32);
    (void)rd_bytes(&r, 64);                                  /* salt: makes the checksums of copies differ */
    const uint8_t *uuid = rd_bytes(&r, 40), *subsystem = rd_bytes(&r, 48);
    uint64_t offset = rd_u64be(&r);
    const uint8_t *padding = rd_bytes(&r, 184);
    (void)rd_bytes(&r, CSUM);
    const uint8_t *rest = rd_bytes(&r, BINARY - 512);
    TRY(rd_end(&r, "the LUKS header"));
    if (memcmp(magic, at ? "SKUL\xba\xbe" : "LUKS\xba\xbe", 6) != 0) FAIL(E_FORMAT, "no LUKS header at %llu", (unsigned long long)at);
    if (version != 2) FAIL(E_FORMAT, "LUKS version %u instead of 2", version);
    if (size != LUKS_COPY || offset != at) FAIL(E_FORMAT, "the LUKS header at %llu claims another size or place", (unsigned long long)at);
    if (!zeros(label, 48) || !zeros(subsystem, 48)) FAIL(E_FORMAT, "the LUKS header has a label");
    if (!padded(algorithm, 32, "sha256")) FAIL(E_FORMAT, "the LUKS header's checksum is not SHA-256");
    if (!is_uuid(uuid)) FAIL(E_FORMAT, "the LUKS header's UUID is none");
    if (!zeros(padding, 184) || !zeros(rest, BINARY - 512)) FAIL(E_FORMAT, "bytes hide in the LUKS header's padding");
    return checksum(copy);
}

err luks_header_check(const uint8_t head[static LUKS_DATA], const struct luks_owner *owner)
{
    uint64_t first, second;
    TRY(binary_check(&first, head, 0));
    TRY(binary_check(&second, head + LUKS_COPY, LUKS_COPY));
    if (first != second || memcmp(head + 168, head + LUKS_COPY + 168, 40) != 0
        || memcmp(head + BINARY, head + LUKS_COPY + BINARY, JSON_MAX) != 0)
        FAIL(E_FORMAT, "the two copies of the LUKS header differ");
    if (!zeros(head + 2 * LUKS_COPY, LUKS_DATA - 2 * LUKS_COPY)) FAIL(E_FORMAT, "bytes hide between the LUKS header and the data");
    return json_check(head + BINARY, owner);
}
