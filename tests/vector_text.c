/* What the sets have in common: hex, flags, Core's script assembler, memory for one row. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "tests/vector_run.h"

struct piece { struct piece *next; max_align_t data[]; };
struct parsed { struct parsed *next; struct tx *tx; };
static struct piece *pieces;
static struct parsed *txs;

void *row_room(size_t n)
{
    struct piece *p = calloc(1, sizeof *p + n + 1);
    if (!p)
        broken(0, "no memory");
    p->next = pieces;
    pieces = p;
    return p->data;
}

void row_done(void)
{
    for (; txs; txs = txs->next)
        tx_free(&txs->tx);
    while (pieces) {
        struct piece *next = pieces->next;
        free(pieces);
        pieces = next;
    }
}

struct tx *row_tx(size_t row, const struct span *bytes)
{
    (void)row;
    struct parsed *p = row_room(sizeof *p);
    p->next = txs;
    txs = p;
    return tx_parse(&p->tx, bytes->p, bytes->n).code ? NULL : p->tx;
}

struct span hex_text(size_t row, const char *hex, size_t n)
{
    uint8_t *p = row_room(n / 2);
    if (n % 2 || hex_to(p, n / 2, hex, n).code)
        broken(row, "not hex: %.60s", hex);
    return (struct span){ p, n / 2 };
}

const char *row_text(size_t row, const json_t *s)
{
    if (!json_is_string(s))
        broken(row, "expected a string");
    return json_string_value(s);
}

struct span row_hex(size_t row, const json_t *s)
{
    const char *text = row_text(row, s);
    return hex_text(row, text, strlen(text));
}

void hash_reversed(size_t row, uint8_t out[static 32], const char *hex)
{
    struct span b = hex_text(row, hex, strlen(hex));
    if (b.n != 32)
        broken(row, "not a hash: %s", hex);
    for (size_t i = 0; i < 32; i++)
        out[i] = b.p[31 - i];
}

uint64_t row_flags(size_t row, const char *text)
{
    uint64_t all = 0, one;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ",");
        if (!script_flag_named(&one, p, n))
            broken(row, "unknown flag %.*s", (int)n, p);
        all |= one;
        p += n + (p[n] == ',');
    }
    return all;
}

const char *flag_words(uint64_t flags)
{
    static char text[2048];
    size_t n = 0;
    text[0] = 0;
    for (; flags; flags &= flags - 1)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "," : "", script_flag_name(flags));
    return text;
}

int64_t row_btc(const json_t *v)
{
    return (int64_t)llround(json_number_value(v) * 1e8);
}

struct span row_witness(const struct span *items, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += TX_WITNESS_ITEM_HEAD + items[i].n;
    uint8_t *p = row_room(n);
    struct wr w = wr_of(p, n);
    for (size_t i = 0; i < count; i++)
        tx_item_write(&w, items[i].p, items[i].n);
    return (struct span){ p, w.len };
}

/* ---- assembler ---- */

static void push(struct wr *w, const void *p, size_t n)
{
    if (n < 0x4c) {
        wr_u8(w, (uint8_t)n);
    } else if (n <= 0xff) {
        wr_u8(w, 0x4c);
        wr_u8(w, (uint8_t)n);
    } else if (n <= 0xffff) {
        wr_u8(w, 0x4d);
        wr_u16(w, (uint16_t)n);
    } else {
        wr_u8(w, 0x4e);
        wr_u32(w, (uint32_t)n);
    }
    wr_bytes(w, p, n);
}

static void number(struct wr *w, long long x)
{
    uint8_t b[9];
    size_t n = 0;
    if (x == 0 || x == -1 || (x >= 1 && x <= 16)) {
        wr_u8(w, x == 0 ? 0 : (uint8_t)(0x50 + x));
        return;
    }
    for (unsigned long long left = x < 0 ? 0ull - (unsigned long long)x : (unsigned long long)x; left; left >>= 8)
        b[n++] = (uint8_t)left;
    if (b[n - 1] & 0x80)
        b[n++] = 0;
    if (x < 0)
        b[n - 1] |= 0x80;
    push(w, b, n);
}

static bool is_number(const char *p, size_t n)
{
    size_t from = p[0] == '-';
    if (n <= from)
        return false;
    for (size_t i = from; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

static bool opcode(struct wr *w, const char *p, size_t n)
{
    static const struct { const char *name; uint8_t op; } other[] = { { "NOP2", 0xb1 }, { "NOP3", 0xb2 }, { "NOP4", 0xb3 } };
    if (n > 3 && memcmp(p, "OP_", 3) == 0) {
        p += 3;
        n -= 3;
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strlen(other[i].name) == n && memcmp(other[i].name, p, n) == 0) {
            wr_u8(w, other[i].op);
            return true;
        }
    for (unsigned op = 0x50; op < 256; op++) {
        const char *name = script_opcode_name((uint8_t)op) + 3;
        if (strlen(name) == n && memcmp(name, p, n) == 0 && (op == 0x50 || op > 0x60)) {
            wr_u8(w, (uint8_t)op);
            return true;
        }
    }
    return false;
}

struct span row_asm(size_t row, const char *text)
{
    size_t cap = strlen(text) * 2 + 16;
    uint8_t *out = row_room(cap);
    struct wr w = wr_of(out, cap);
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " \t\n");
        if (n == 0) {
            p++;
            continue;
        }
        if (is_number(p, n)) {
            number(&w, strtoll(p, NULL, 10));
        } else if (n >= 2 && memcmp(p, "0x", 2) == 0) {
            struct span raw = hex_text(row, p + 2, n - 2);
            wr_bytes(&w, raw.p, raw.n);
        } else if (n >= 2 && p[0] == '\'' && p[n - 1] == '\'') {
            push(&w, p + 1, n - 2);
        } else if (!opcode(&w, p, n)) {
            broken(row, "unknown word in a script: %.*s", (int)n, p);
        }
        p += n;
    }
    if (w.full)
        broken(row, "script too long");
    return (struct span){ out, w.len };
}
