/* conf.c - libinih reads the lines; a table of keys says what they may be. */
#include "core/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"

enum { KEYS_MAX = 256, FILE_MAX_BYTES = 1 << 20 };

struct parse {
    const char *text;                 /* what is left to read */
    const struct conf_key *keys;
    size_t count;
    uint8_t *into;
    int line;                         /* of the last line handed out */
    bool bad;
    int bad_line;                     /* and why: the first failure only */
    char why[400];
    bool seen[KEYS_MAX];
};

__attribute__((format(printf, 2, 3)))
static void blame(struct parse *p, const char *fmt, ...)
{
    if (p->bad)
        return;
    p->bad = true;
    p->bad_line = p->line;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->why, sizeof p->why, fmt, ap);
    va_end(ap);
}

/* libinih takes a line that begins with a space as more of the line before, and
 * cuts a long one in two. Neither is ever meant here, so both are refused. */
static void check_line(struct parse *p, const char *line, size_t n, size_t most)
{
    if (n > most)
        blame(p, "the line is %zu bytes long, at most %zu may be", n, most);
    if (n > 0 && (line[0] == ' ' || line[0] == '\t')) {
        size_t i = 0;
        while (i < n && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r'))
            i++;
        if (i < n && line[i] != ';' && line[i] != '#')
            blame(p, "the line begins with a space");
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < 0x20 && c != '\t' && !(c == '\r' && i + 1 == n)) || c == 0x7f)
            blame(p, "control character 0x%02x in the line", c);
    }
}

/* fgets() for libinih: one line of the text; it also counts them. */
static char *next_line(char *room, int size, void *of)
{
    struct parse *p = of;
    if (p->text[0] == '\0' || size < 2)
        return NULL;
    size_t n = strcspn(p->text, "\n"), most = (size_t)size - 2;
    p->line++;
    check_line(p, p->text, n, most);
    size_t used = n <= most ? n : most;
    memcpy(room, p->text, used);
    room[used] = '\n';
    room[used + 1] = '\0';
    p->text += n + (p->text[n] == '\n');
    return room;
}

/* Edits (insert, delete, change) from a to b, to tell a typing error from a guess. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (n >= sizeof row / sizeof *row)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (; *a; a++) {
        size_t corner = row[0]++;
        for (size_t j = 1; j <= n; j++) {
            size_t change = corner + (*a != b[j - 1]);
            corner = row[j];
            size_t side = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < side ? change : side;
        }
    }
    return row[n];
}

static void blame_unknown(struct parse *p, const char *section, const char *name)
{
    const struct conf_key *near = NULL;
    size_t best = 3;
    bool section_known = false;
    for (size_t i = 0; i < p->count; i++) {
        const struct conf_key *k = &p->keys[i];
        size_t d = distance(name, k->name);
        bool same = strcmp(section, k->section) == 0;
        section_known = section_known || same;
        /* The right name in the wrong section is as likely as one slip. */
        if (!same)
            d = d < SIZE_MAX ? d + 1 : d;
        if (d < best) {
            best = d;
            near = k;
        }
    }
    if (near)
        blame(p, "unknown key [%s] %s; did you mean [%s] %s?", section, name, near->section, near->name);
    else
        blame(p, "unknown %s [%s] %s", section_known ? "key" : "section", section, name);
}

struct unit {
    const char *name;
    uint64_t times;
};

/* Digits, then nothing or one of the units. False: malformed or too large. */
static bool parse_amount(uint64_t *out, const char *s, const struct unit *units, size_t count)
{
    uint64_t v = 0;
    size_t digits = 0;
    for (; s[digits] >= '0' && s[digits] <= '9'; digits++)
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(s[digits] - '0'), &v))
            return false;
    if (digits == 0)
        return false;
    *out = v;
    if (s[digits] == '\0')
        return true;
    for (size_t i = 0; i < count; i++)
        if (strcmp(s + digits, units[i].name) == 0)
            return !__builtin_mul_overflow(v, units[i].times, out);
    return false;
}

static const struct unit bytes[] = { { "K", 1u << 10 }, { "M", 1u << 20 }, { "G", 1u << 30 } };

bool conf_size(uint64_t *out, const char *text)
{
    return parse_amount(out, text, bytes, sizeof bytes / sizeof *bytes);
}

static void set_number(struct parse *p, const struct conf_key *k, const char *value)
{
    static const struct unit seconds[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 } };
    const struct unit *units = k->kind == CONF_SECONDS ? seconds : bytes;
    const char *form = k->kind == CONF_SECONDS ? "a time such as 60, 60s, 5m or 2h"
                       : k->kind == CONF_BYTES ? "a size such as 4096, 64M or 1G" : "a decimal number";
    uint64_t v = 0;
    if (!parse_amount(&v, value, units, k->kind == CONF_U64 ? 0 : 3) || v < k->min || v > k->max) {
        blame(p, "[%s] %s = '%.60s': expected %s, from %llu to %llu", k->section, k->name, value, form,
              (unsigned long long)k->min, (unsigned long long)k->max);
        return;
    }
    memcpy(p->into + k->offset, &v, sizeof v);
}

static void set_bool(struct parse *p, const struct conf_key *k, const char *value)
{
    bool v = strcmp(value, "yes") == 0;
    if (!v && strcmp(value, "no") != 0)
        blame(p, "[%s] %s = '%.60s': expected yes or no", k->section, k->name, value);
    memcpy(p->into + k->offset, &v, sizeof v);
}

static void set_text(struct parse *p, const struct conf_key *k, const char *value)
{
    size_t n = strlen(value);
    if (n >= k->size) {
        blame(p, "[%s] %s is %zu bytes long: at most %zu may be", k->section, k->name, n, k->size - 1);
        return;
    }
    /* The rest of the field is zeroed: no end of a longer default remains. */
    memset(p->into + k->offset, 0, k->size);
    memcpy(p->into + k->offset, value, n);
}

/* libinih calls this for each `name = value`; its answer 0 would only repeat what
 * blame() keeps. */
static int on_pair(void *of, const char *section, const char *name, const char *value)
{
    struct parse *p = of;
    size_t i = 0;
    while (i < p->count && (strcmp(p->keys[i].section, section) != 0 || strcmp(p->keys[i].name, name) != 0))
        i++;
    if (i == p->count) {
        blame_unknown(p, section, name);
        return 1;
    }
    const struct conf_key *k = &p->keys[i];
    if (p->seen[i])
        blame(p, "[%s] %s is given twice", section, name);
    p->seen[i] = true;
    if (k->kind == CONF_TEXT)
        set_text(p, k, value);
    else if (k->kind == CONF_BOOL)
        set_bool(p, k, value);
    else
        set_number(p, k, value);
    return 1;
}

/* How much of the caller's struct the table speaks about. */
static size_t extent(const struct conf_key *keys, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t n = keys[i].kind == CONF_TEXT ? keys[i].size
                   : keys[i].kind == CONF_BOOL ? sizeof(bool) : sizeof(uint64_t);
        MUST(n > 0 && keys[i].offset <= SIZE_MAX - n);
        most = keys[i].offset + n > most ? keys[i].offset + n : most;
    }
    return most;
}

err conf_parse(const char *name, const char *text, const struct conf_key *keys, size_t count, void *into)
{
    MUST(count <= KEYS_MAX);
    size_t n = extent(keys, count);
    BYTES room = NULL;
    BYTES draft = NULL;
    TRY(mem_new(&room, sizeof(struct parse)));
    TRY(mem_new(&draft, n));
    if (n > 0)
        memcpy(draft, into, n);
    struct parse *p = (void *)room;
    *p = (struct parse){ .text = text, .keys = keys, .count = count, .into = draft };

    int line = ini_parse_stream(next_line, p, on_pair, p);
    if (line < 0)
        FAIL(E_MEMORY, "no memory to read %s", name);
    /* libinih names the first line that has no meaning; ours may come before it. */
    if (line > 0 && (!p->bad || line < p->bad_line))
        FAIL(E_FORMAT, "%s:%d: expected '[section]', 'name = value' or a comment", name, line);
    if (p->bad)
        FAIL(E_FORMAT, "%s:%d: %s", name, p->bad_line, p->why);
    /* All or nothing: the caller's struct changes only now. */
    if (n > 0)
        memcpy(into, draft, n);
    return OK;
}

static err read_file(char **out, const char *path)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        FAIL(E_ABSENT, "there is no file %s", path);
    if (fd < 0 || fstat(fd, &st) != 0)
        FAIL(E_IO, "opening %s", path);
    if (!S_ISREG(st.st_mode))
        FAIL(E_FORMAT, "%s is no ordinary file", path);
    if (st.st_size > FILE_MAX_BYTES)
        FAIL(E_LIMIT, "%s is larger than %d bytes", path, FILE_MAX_BYTES);
    size_t size = (size_t)st.st_size, done = 0;
    TEXT text = malloc(size + 1);
    if (!text)
        FAIL(E_MEMORY, "no memory to read %s", path);
    while (done < size) {
        ssize_t got = read(fd, text + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            FAIL(E_IO, "reading %s", path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    text[done] = '\0';
    if (strlen(text) != done)
        FAIL(E_FORMAT, "%s holds a NUL byte: it is no text", path);
    *out = take_text(&text);
    return OK;
}

err conf_read(const char *path, const struct conf_key *keys, size_t count, void *into)
{
    TEXT text = NULL;
    TRY(read_file(&text, path));
    return conf_parse(path, text, keys, count, into);
}
