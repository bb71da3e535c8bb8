/* arn.c - parse the pinned key's ARN and find its host. */
#include "keystore/arn.h"

#include <string.h>

#include "core/buf.h"

struct partition { const char *name, *suffix; bool fips; };

/* DNS suffixes of the AWS partitions (botocore's partitions data). An unknown
 * partition is refused: guessing a suffix would mean guessing whom to trust. */
static const struct partition partitions[] = {
    { "aws",        "amazonaws.com",    true  },
    { "aws-us-gov", "amazonaws.com",    true  },
    { "aws-cn",     "amazonaws.com.cn", false },
    { "aws-iso",    "c2s.ic.gov",       true  },
    { "aws-iso-b",  "sc2s.sgov.gov",    true  },
    { "aws-iso-e",  "cloud.adc-e.uk",   true  },
    { "aws-iso-f",  "csp.hci.ic.gov",   true  },
    { "aws-eusc",   "amazonaws.eu",     false },
};

static const struct partition *find_partition(const char *name)
{
    for (size_t i = 0; i < sizeof partitions / sizeof *partitions; i++)
        if (strcmp(partitions[i].name, name) == 0)
            return &partitions[i];
    return NULL;
}

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_hex(char c)   { return is_digit(c) || (c >= 'a' && c <= 'f'); }

/* Everything up to the next `end` (or to the end, for '\0') as a text of its own. */
static bool take_field(struct rd *r, char *out, size_t cap, char end)
{
    size_t n = 0;
    for (;;) {
        if (r->left == 0) {
            out[n] = '\0';
            return end == '\0' && n > 0;
        }
        char c = (char)rd_u8(r);
        if (end != '\0' && c == end) {
            out[n] = '\0';
            return n > 0;
        }
        if (c == '\0' || n + 1 == cap)
            return false;
        out[n++] = c;
    }
}

/* The region becomes a label of a host name, so it may hold nothing else. */
static bool region_ok(const char *s)
{
    size_t n = strlen(s), dashes = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '-')
            dashes++;
        if (!is_lower(s[i]) && !is_digit(s[i]) && s[i] != '-')
            return false;
    }
    return dashes >= 1 && is_lower(s[0]) && s[n - 1] != '-';
}

static bool account_ok(const char *s)
{
    for (size_t i = 0; i < 12; i++)
        if (!is_digit(s[i]))
            return false;
    return s[12] == '\0';
}

static bool uuid_ok(const char *s)
{
    if (strlen(s) != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !is_hex(s[i]))
            return false;
    }
    return true;
}

static bool multi_region_ok(const char *s)
{
    if (strncmp(s, "mrk-", 4) != 0 || strlen(s) != 36)
        return false;
    for (size_t i = 4; i < 36; i++)
        if (!is_hex(s[i]))
            return false;
    return true;
}

static bool fields_ok(struct arn *a)
{
    struct rd r = rd_of(a->text, strlen(a->text));
    char word[8];
    if (!take_field(&r, word, sizeof word, ':') || strcmp(word, "arn") != 0)
        return false;
    if (!take_field(&r, a->partition, sizeof a->partition, ':') || !find_partition(a->partition))
        return false;
    if (!take_field(&r, word, sizeof word, ':') || strcmp(word, "kms") != 0)
        return false;
    if (!take_field(&r, a->region, sizeof a->region, ':') || !region_ok(a->region))
        return false;
    if (!take_field(&r, a->account, sizeof a->account, ':') || !account_ok(a->account))
        return false;
    if (!take_field(&r, word, sizeof word, '/') || strcmp(word, "key") != 0)
        return false;
    if (!take_field(&r, a->key_id, sizeof a->key_id, '\0'))
        return false;
    a->multi_region = multi_region_ok(a->key_id);
    return a->multi_region || uuid_ok(a->key_id);
}

err arn_parse(struct arn *out, const char *text, size_t n)
{
    struct arn a = { 0 };
    if (n >= sizeof a.text)
        FAIL(E_LIMIT, "key ARN of %zu characters; at most %zu", n, sizeof a.text - 1);
    memcpy(a.text, text, n);
    if (strlen(a.text) != n || !fields_ok(&a))
        FAIL(E_FORMAT, "not a KMS key ARN (arn:PARTITION:kms:REGION:ACCOUNT:key/ID; no alias): %s", a.text);
    *out = a;
    return OK;
}

err arn_endpoint(char host[static ARN_HOST_MAX], const struct arn *a, bool fips)
{
    const struct partition *p = find_partition(a->partition);
    MUST(p != NULL);
    if (fips && !p->fips)
        FAIL(E_STATE, "no FIPS endpoint of KMS in partition %s", a->partition);
    struct wr w = wr_of(host, ARN_HOST_MAX);
    wr_text(&w, fips ? "kms-fips." : "kms.");
    wr_text(&w, a->region);
    wr_text(&w, ".");
    wr_text(&w, p->suffix);
    wr_u8(&w, 0);
    return wr_end(&w, "host of KMS");
}
