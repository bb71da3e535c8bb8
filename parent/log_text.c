/* log_text.c - see log_text.h. */
#include "parent/log_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "parent/say.h"
#include "parent/verify.h"
#include "policy/document.h"

static void put_hex(json_t *o, const char *name, const uint8_t *p, size_t n)
{
    char hex[2 * 48 + 1];
    hex_from(hex, p, n);
    json_object_set_new(o, name, json_string(hex));
}

static void put_number(json_t *o, const char *name, uint64_t v)
{
    json_object_set_new(o, name, json_integer((json_int_t)v));
}

/* Who it is, and what it says in short; the whole of it is in `raw`. */
static void put_document(json_t *o, const struct entry *e)
{
    struct document d;
    enum reason why;
    uint8_t hash[32];
    sha256(hash, e->document.p, e->document.n);
    put_hex(o, "document", hash, 32);
    json_object_set_new(o, "signatures", json_integer(e->signatures));
    if (e->kind == ENTRY_GENESIS || document_parse(&d, &why, e->document.p, e->document.n).code) return;
    if (d.kind == DOCUMENT_POLICY) put_number(o, "version", d.version);
    if (d.kind == DOCUMENT_RELEASE) {
        put_number(o, "sequence", d.sequence);
        json_object_set_new(o, "label", json_string(d.label));
    }
    if (d.kind == DOCUMENT_VETO) put_hex(o, "release", d.release, 32);
}

static void put_boot(json_t *o, const struct entry *e)
{
    static const char *const names[] = { "pcr0", "pcr1", "pcr2" };
    put_number(o, "generation", e->generation);
    put_hex(o, "manifest", e->manifest, 32);
    json_object_set_new(o, "simulated", json_boolean(e->simulated));
    for (size_t i = 0; i < 3; i++) put_hex(o, names[i], e->pcr[i], 48);
    put_hex(o, "release", e->release, 32);
    json_object_set_new(o, "previous", e->previous == ENTRY_NO_BOOT ? json_null() : json_integer((json_int_t)e->previous));
}

static void put_rest(json_t *o, const struct entry *e)
{
    switch (e->kind) {
    case ENTRY_GENESIS: case ENTRY_POLICY: case ENTRY_RELEASE: case ENTRY_VETO: put_document(o, e); break;
    case ENTRY_BOOT: put_boot(o, e); break;
    case ENTRY_SEAL: put_number(o, "generation", e->generation); put_hex(o, "manifest", e->manifest, 32); put_number(o, "epoch", e->epoch); break;
    case ENTRY_GRANT: put_hex(o, "release", e->release, 32); put_hex(o, "build_key", e->build, 32); put_hex(o, "grant", e->grant, 32); break;
    case ENTRY_ROLLBACK:
        put_number(o, "known", e->known);
        put_number(o, "generation", e->generation);
        put_hex(o, "manifest", e->manifest, 32);
        if (e->document.n) put_document(o, e);
        break;
    case ENTRY_REKEY: put_number(o, "old_epoch", e->epoch); put_number(o, "new_epoch", e->new_epoch); break;
    case ENTRY_REOPEN: put_number(o, "log_before", e->number); put_number(o, "size", e->size); put_hex(o, "root", e->root, 32); break;
    case ENTRY_KINDS: break;
    }
}

static bool put_raw(json_t *o, const uint8_t *p, size_t n)
{
    TEXT text = malloc(base64_size(n));
    if (!text) return false;
    base64_from(text, p, n);
    return json_object_set_new(o, "raw", json_string(text)) == 0;
}

json_t *log_entry_json(uint64_t index, const uint8_t *p, size_t n)
{
    struct entry e;
    const bool known = !entry_parse(&e, p, n).code;
    json_t *o = json_pack("{s:I, s:s}", "index", (json_int_t)index, "kind", known ? entry_name(e.kind) : "unknown");
    if (!o) return NULL;
    if (known) {
        put_number(o, "time", e.time);
        put_rest(o, &e);
    }
    if (put_raw(o, p, n)) return o;
    json_decref(o);
    return NULL;
}

void log_entry_say(const json_t *entry)
{
    char when[32] = "-";
    const char *name;
    json_t *value;
    const json_t *time = json_object_get(entry, "time");
    if (time) verify_time_text(when, (uint64_t)json_integer_value(time));
    printf("%-8" JSON_INTEGER_FORMAT " %-20s %-9s", json_integer_value(json_object_get(entry, "index")), when, json_string_value(json_object_get(entry, "kind")));
    json_object_foreach((json_t *)(uintptr_t)entry, name, value) {
        static const char *const shown_already[] = { "index", "time", "kind", "raw" };
        bool skip = false;
        for (size_t i = 0; i < sizeof shown_already / sizeof *shown_already; i++) skip = skip || strcmp(name, shown_already[i]) == 0;
        if (skip) continue;
        printf(" %s=", name);
        if (json_is_string(value)) {
            /* Enough of a hash to find it by; --json has the whole. */
            const size_t len = json_string_length(value), most = strcmp(name, "label") == 0 ? len : 16;
            say_text(json_string_value(value), len < most ? len : most);
        }
        else if (json_is_boolean(value)) fputs(json_is_true(value) ? "yes" : "no", stdout);
        else if (json_is_null(value)) fputs("none", stdout);
        else printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    putchar('\n');
}
