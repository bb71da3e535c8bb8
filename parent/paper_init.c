/* paper_init.c - make documents. What is made is parsed again before it is given out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/hash.h"
#include "core/mem.h"
#include "parent/measure.h"
#include "parent/paper.h"
#include "parent/say.h"

enum { DAY = 86400, DAYS_MAX = 36500 };

static enum exits needs(const struct call *c, const char *what)
{
    return say_failure(c, EXIT_USAGE, NULL, NULL, "%s init: %s", c->command->name, what);
}

static json_t *hex_json(const void *p, size_t n)
{
    char hex[2 * DOCUMENT_PCR + 1];
    MUST(n <= DOCUMENT_PCR);
    hex_from(hex, p, n);
    return json_string(hex);
}

static json_t *key_json(const struct maintainer *m)
{
    char text[MAINTAINER_TEXT];
    struct wr w = wr_of(text, sizeof text - 1);
    maintainer_write(&w, m);
    text[w.len] = 0;
    return json_string(text);
}

static json_t *keys_json(const struct maintainers *set)
{
    json_t *out = json_array();
    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(out, json_pack("{s:s, s:o}", "name", set->one[i].name, "key", key_json(&set->one[i])));
    return out;
}

static json_t *begin(enum document_kind k)
{
    return json_pack("{s:s, s:i}", "type", document_type(k), "format", DOCUMENT_FORMAT);
}

/* --not-before, and --valid days from there; the first for those kinds that have it. */
static bool put_times(json_t *d, const struct call *c, bool first)
{
    unsigned long long from = (unsigned long long)time(NULL), days;
    if (first && !call_number(&from, c, "not-before", from, 0, DOCUMENT_TIME_MAX)) return false;
    if (!call_number(&days, c, "valid", paper_kind(c) == DOCUMENT_POLICY ? 365 : 30, 1, DAYS_MAX)) return false;
    if (first) json_object_set_new(d, "not_before", json_integer((json_int_t)from));
    json_object_set_new(d, "expires", json_integer((json_int_t)(from + days * DAY)));
    return true;
}

static bool put_number(json_t *d, const struct call *c, const char *option, const char *member, uint64_t fallback)
{
    unsigned long long v;
    if (!call_number(&v, c, option, fallback, 0, STRICT_NUMBER_MAX)) return false;
    json_object_set_new(d, member, json_integer((json_int_t)v));
    return true;
}

/* Service and network: as options say, else as the policy does. */
static enum exits put_place(json_t *d, const struct call *c, const char *service, const char *network, const struct paper *policy)
{
    if ((!service || !network) && !policy->bytes) return needs(c, "--service and --network are needed where there is no policy to take them from");
    json_object_set_new(d, "service", service ? json_string(service) : hex_json(policy->d.service, 32));
    json_object_set_new(d, "network", json_string(network ? network : policy->d.network));
    return EXIT_DONE;
}

/* ---- policy ---- */

/* A new set of keys with a threshold, or that of the policy before. */
static enum exits take_set(struct maintainers *out, const struct call *c, const char *file, const char *threshold, const struct maintainers *before)
{
    unsigned long long k;
    if (!call_number(&k, c, threshold, before->threshold, 0, MAINTAINERS_MAX)) return EXIT_USAGE;
    *out = *before;
    enum exits code = call_value(c, file) ? paper_keys(out, c, call_value(c, file), k) : EXIT_DONE;
    if (k) out->threshold = k;
    return code;
}

/* What the policy before revoked stays so; --revoke adds a key or the hash of a release. */
static enum exits put_revoked(json_t *d, const struct call *c, const struct paper *before)
{
    json_t *keys = json_array(), *releases = json_array();
    const char *more = call_value(c, "revoke");
    uint8_t hash[32];
    json_object_set_new(d, "revoked_keys", keys);
    json_object_set_new(d, "revoked_releases", releases);
    for (size_t i = 0; i < before->d.revoked_key_count; i++) json_array_append_new(keys, key_json(&before->d.revoked_key[i]));
    for (size_t i = 0; i < before->d.revoked_release_count; i++) json_array_append_new(releases, hex_json(before->d.revoked_release[i], 32));
    if (!more) return EXIT_DONE;
    struct maintainer m;
    if (strlen(more) == 64 && !hex_to(hash, 32, more, 64).code) json_array_append_new(releases, hex_json(hash, 32));
    else if (!maintainer_parse(&m, more, strlen(more)).code) json_array_append_new(keys, key_json(&m));
    else return needs(c, "--revoke takes a key (`KIND KEY`), or the SHA-256 of a release");
    return EXIT_DONE;
}

static enum exits put_emergency(json_t *d, const struct call *c, const struct document *before)
{
    const char *threshold = call_value(c, "emergency-threshold"), *delay = call_value(c, "emergency-delay");
    const bool any = threshold || delay || before->emergency_threshold;
    if (any && !before->emergency_threshold && (!threshold || !delay)) return needs(c, "--emergency-threshold and --emergency-delay go together");
    json_object_set_new(d, "emergency_threshold", json_null());
    json_object_set_new(d, "emergency_delay", json_null());
    if (!any) return EXIT_DONE;
    return put_number(d, c, "emergency-threshold", "emergency_threshold", before->emergency_threshold) &&
           put_number(d, c, "emergency-delay", "emergency_delay", before->emergency_delay) ? EXIT_DONE : EXIT_USAGE;
}

static enum exits make_policy(json_t *d, const struct call *c)
{
    PAPER before = { 0 }, genesis = { 0 };
    struct maintainers keys, veto;
    const char *previous = call_value(c, "previous"), *founding = call_value(c, "genesis");
    enum exits code = EXIT_DONE;
    if (previous && founding) return needs(c, "--genesis is for the first policy only");
    if (previous) code = paper_load(&before, c, previous, DOCUMENT_POLICY);
    if (founding && code == EXIT_DONE) code = paper_load(&genesis, c, founding, DOCUMENT_GENESIS);
    if (code == EXIT_DONE && !previous && (!call_value(c, "keys") || !call_value(c, "delay"))) code = needs(c, "--keys and --delay are needed for the first policy");
    if (code == EXIT_DONE) code = put_place(d, c, call_value(c, "service"), call_value(c, "network"), &before);
    if (code == EXIT_DONE) code = take_set(&keys, c, "keys", "threshold", &before.d.keys);
    if (code == EXIT_DONE) code = take_set(&veto, c, "veto-keys", "veto-threshold", &before.d.veto_keys);
    if (code != EXIT_DONE) return code;
    json_object_set_new(d, "version", json_integer((json_int_t)before.d.version + 1));
    json_object_set_new(d, "previous", previous ? hex_json(before.d.hash, 32) : founding ? hex_json(genesis.d.hash, 32) : json_null());
    json_object_set_new(d, "threshold", json_integer((json_int_t)keys.threshold));
    json_object_set_new(d, "keys", keys_json(&keys));
    /* One veto is enough, unless it is said otherwise: to stop and look is safe. */
    if (!call_value(c, "veto-threshold") && !before.d.veto_keys.count) veto.threshold = 1;
    json_object_set_new(d, "veto_threshold", json_integer((json_int_t)veto.threshold));
    json_object_set_new(d, "veto_keys", keys_json(&veto));
    if (!put_number(d, c, "delay", "delay", before.d.delay)) return EXIT_USAGE;
    code = put_emergency(d, c, &before.d);
    if (code == EXIT_DONE) code = put_revoked(d, c, &before);
    return code == EXIT_DONE && !put_times(d, c, false) ? EXIT_USAGE : code;
}

/* ---- the rest ---- */

static enum exits put_pcrs(json_t *d, const struct call *c)
{
    static const char *const names[] = { "pcr0", "pcr1", "pcr2", "pcr8" };
    struct measured m = { 0 };
    const char *image = call_value(c, "image");
    if (image && measure_image(&m, image) != MEASURE_DONE) return say_failure(c, EXIT_REFUSED, NULL, NULL, "release init: %s cannot be measured", image);
    const uint8_t *const measured[] = { m.pcrs.pcr0, m.pcrs.pcr1, m.pcrs.pcr2, m.pcrs.has_pcr8 ? m.pcrs.pcr8 : NULL };
    for (int i = 0; i < 4; i++) {
        const char *given = call_value(c, names[i]);
        if (given && image) return needs(c, "--image and --pcr0, --pcr1, --pcr2, --pcr8 exclude one another");
        if (!given && !image && i < 3) return needs(c, "--image, or all of --pcr0, --pcr1 and --pcr2, are needed");
        json_object_set_new(d, names[i], image && measured[i] ? hex_json(measured[i], DOCUMENT_PCR) : given ? json_string(given) : json_null());
    }
    return EXIT_DONE;
}

static void put_made_under(json_t *d, const struct paper *policy)
{
    json_object_set_new(d, "policy_version", json_integer((json_int_t)policy->d.version));
    json_object_set_new(d, "policy", hex_json(policy->d.hash, 32));
}

static enum exits make_release(json_t *d, const struct call *c, const struct paper *policy)
{
    const char *label = call_value(c, "label"), *commit = call_value(c, "commit");
    if (!label || !commit || !call_value(c, "sequence")) return needs(c, "--sequence, --label and --commit are needed");
    if (!put_number(d, c, "sequence", "sequence", 0)) return EXIT_USAGE;
    put_made_under(d, policy);
    enum exits code = put_pcrs(d, c);
    if (code != EXIT_DONE) return code;
    json_object_set_new(d, "label", json_string(label));
    json_object_set_new(d, "commit", json_string(commit));
    if (!put_number(d, c, "min-generation", "min_generation", 0)) return EXIT_USAGE;
    json_object_set_new(d, "emergency", json_boolean(call_value(c, "emergency") != NULL));
    return put_times(d, c, true) ? EXIT_DONE : EXIT_USAGE;
}

static enum exits make_veto(json_t *d, const struct call *c, const struct paper *policy)
{
    PAPER release = { 0 };
    if (!call_value(c, "release")) return needs(c, "--release FILE, which is to be stopped, is needed");
    enum exits code = paper_load(&release, c, call_value(c, "release"), DOCUMENT_RELEASE);
    if (code != EXIT_DONE) return code;
    json_object_set_new(d, "release", hex_json(release.d.hash, 32));
    put_made_under(d, policy);
    return put_times(d, c, false) ? EXIT_DONE : EXIT_USAGE;
}

static enum exits make_permit(json_t *d, const struct call *c)
{
    uint8_t nonce[DOCUMENT_NONCE];
    const char *head = call_value(c, "head");
    if (!head || !call_value(c, "generation") || !call_value(c, "log-size")) return needs(c, "--generation, --log-size and --head say to which state it leads back");
    if (random_bytes(nonce, sizeof nonce).code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "permit init: no random bytes");
    if (!put_number(d, c, "generation", "generation", 0) || !put_number(d, c, "log-size", "log_size", 0)) return EXIT_USAGE;
    json_object_set_new(d, "head", json_string(head));
    json_object_set_new(d, "nonce", hex_json(nonce, sizeof nonce));
    return put_times(d, c, true) ? EXIT_DONE : EXIT_USAGE;
}

static enum exits make_genesis(json_t *d, const struct call *c)
{
    static const char *const texts[][2] = { { "network", "network" }, { "name", "name" }, { "key-arn", "key" }, { "blockhash", "blockhash" }, { "profile", "profile" } };
    struct maintainers keys, none = { 0 };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!call_value(c, texts[i][0])) return needs(c, "--network, --name, --key-arn, --blockhash and --profile are needed");
        json_object_set_new(d, texts[i][1], json_string(call_value(c, texts[i][0])));
    }
    if (!call_value(c, "keys")) return needs(c, "--keys FILE is needed");
    enum exits code = take_set(&keys, c, "keys", "threshold", &none);
    if (code != EXIT_DONE) return code;
    json_object_set_new(d, "threshold", json_integer((json_int_t)keys.threshold));
    json_object_set_new(d, "keys", keys_json(&keys));
    return put_times(d, c, true) ? EXIT_DONE : EXIT_USAGE;
}

static enum exits make(json_t *d, const struct call *c)
{
    PAPER policy = { 0 };
    const enum document_kind k = paper_kind(c);
    if (k == DOCUMENT_POLICY) return make_policy(d, c);
    if (k == DOCUMENT_GENESIS) return make_genesis(d, c);
    if (!call_value(c, "policy")) return needs(c, "--policy FILE, the one in force, is needed");
    enum exits code = paper_load(&policy, c, call_value(c, "policy"), DOCUMENT_POLICY);
    if (code == EXIT_DONE) code = put_place(d, c, NULL, NULL, &policy);
    if (code != EXIT_DONE) return code;
    return k == DOCUMENT_RELEASE ? make_release(d, c, &policy) : k == DOCUMENT_VETO ? make_veto(d, c, &policy) : make_permit(d, c);
}

enum exits paper_init(const struct call *c)
{
    struct document parsed;
    enum reason why;
    JSON d = begin(paper_kind(c));
    enum exits code = make(d, c);
    if (code != EXIT_DONE) return code;
    TEXT text = d ? json_dumps(d, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
    if (!text) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    const size_t n = strlen(text);
    text[n] = '\n';                              /* where the NUL was: the last line ends */
    if (document_parse(&parsed, &why, text, n + 1).code)
        return say_failure(c, EXIT_USAGE, NULL, "The log line names the member.", "%s init: what was given makes no document", c->command->name);
    if (fwrite(text, 1, n + 1, stdout) != n + 1 || fflush(stdout) != 0) return EXIT_REFUSED;
    return EXIT_DONE;
}
