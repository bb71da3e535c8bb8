/* store_s3_put.c - an object on its way into a bucket: whole, or in parts.
 *
 * It gets its name in one request (the put, or the completion of the upload), so it is never half there. That request may
 * be answered into the void: when a later try finds the name taken, what stands there is read back and compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "parent/store_s3_in.h"

enum { UPLOAD_ID = 512, ETAG = 160, PART_XML = 256 };

struct s3_put {
    struct store_put base;
    struct s3_store *s;
    char name[LINK_NAME_MAX + 1], key[S3_NAME], upload[UPLOAD_ID];       /* upload: escaped id; "" until there is one */
    char (*etags)[ETAG];
    unsigned parts;
    uint8_t *buffer;
    size_t used, room;
    uint64_t total;
    struct sha256_run *hash;
    bool spent;
};

static err upload_begin(struct s3_put *p)
{
    S3_ANSWER a = { 0 };
    char id[UPLOAD_ID];
    TRY(s3_call(&a, &p->s->bucket, &(struct s3_ask){ .method = "POST", .key = p->key, .query = "uploads=", .body = "" }));
    if (a.status != 200) return s3_refused(&a, "beginning an upload");
    err e = s3_element(id, sizeof id, "UploadId", (const char *)a.body, a.len);
    if (e.code == E_ABSENT) FAIL(E_FORMAT, "s3: an upload without an id");
    TRY(e);
    return s3_escape(p->upload, sizeof p->upload, id);
}

static err part_send(struct s3_put *p)
{
    S3_ANSWER a = { 0 };
    char query[UPLOAD_ID + 64];
    if (!p->upload[0]) TRY(upload_begin(p));
    if (p->parts == S3_PARTS) FAIL(E_LIMIT, "s3: an object of more than %d parts of %d MiB", S3_PARTS, S3_PART >> 20);
    char (*more)[ETAG] = realloc(p->etags, (p->parts + 1) * sizeof *more);
    if (!more) FAIL(E_MEMORY, "a list of parts");
    p->etags = more;
    snprintf(query, sizeof query, "partNumber=%u&uploadId=%s", p->parts + 1, p->upload);
    TRY(s3_call(&a, &p->s->bucket, &(struct s3_ask){ .method = "PUT", .key = p->key, .query = query, .body = p->buffer, .body_len = p->used }));
    if (a.status != 200) return s3_refused(&a, "sending a part");
    if (!a.etag[0] || strpbrk(a.etag, "<>&")) FAIL(E_FORMAT, "s3: a part without a usable ETag");
    memcpy(p->etags[p->parts++], a.etag, ETAG);
    p->used = 0;
    return OK;
}

static err room_for(struct s3_put *p, size_t n)
{
    if (n <= p->room) return OK;
    size_t room = p->room ? p->room : 65536;
    while (room < n) room *= 2;
    uint8_t *more = realloc(p->buffer, room);
    if (!more) FAIL(E_MEMORY, "a part of an object");
    p->buffer = more;
    p->room = room;
    return OK;
}

static err put_write(struct store_put *base, const void *data, size_t n)
{
    struct s3_put *p = (struct s3_put *)base;
    const uint8_t *from = data;
    if (n) sha256_add(p->hash, data, n);
    p->total += n;
    while (n > 0) {
        /* Only when more follows: what fits into one part needs no upload. */
        if (p->used == S3_PART) TRY(part_send(p));
        const size_t take = n < S3_PART - p->used ? n : S3_PART - p->used;
        TRY(room_for(p, p->used + take));
        memcpy(p->buffer + p->used, from, take);
        p->used += take;
        from += take;
        n -= take;
    }
    return OK;
}

/* Did an earlier try of ours succeed unheard? */
static err ours_stands(struct s3_put *p)
{
    STORE_GET get = NULL;
    BYTES piece = NULL;
    struct sha256_run *run = NULL;
    uint8_t there[32], ours[32];
    size_t n = 1;
    TRY(mem_new(&piece, 1 << 20));
    TRY(s3_get_open(&p->s->base, &get, p->name));
    TRY(sha256_begin(&run));
    while (n > 0) {
        err e = get->read(get, piece, &n, 1 << 20);
        if (e.code) {
            sha256_drop(&run);
            return e;
        }
        if (n) sha256_add(run, piece, n);
    }
    sha256_end(&run, there);
    sha256_end(&p->hash, ours);
    if (get->size != p->total || memcmp(there, ours, sizeof ours) != 0) FAIL(E_STATE, "an object named %s exists already; it was not touched", p->name);
    return OK;
}

static err complete(struct s3_answer *a, struct s3_put *p)
{
    char query[UPLOAD_ID + 16];
    BYTES xml = NULL;
    const size_t cap = (size_t)(p->parts + 2) * PART_XML;
    TRY(mem_new(&xml, cap));
    size_t n = (size_t)snprintf((char *)xml, cap, "<CompleteMultipartUpload>");
    for (unsigned i = 0; i < p->parts; i++)
        n += (size_t)snprintf((char *)xml + n, cap - n, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", i + 1, p->etags[i]);
    n += (size_t)snprintf((char *)xml + n, cap - n, "</CompleteMultipartUpload>");
    snprintf(query, sizeof query, "uploadId=%s", p->upload);
    return s3_call(a, &p->s->bucket, &(struct s3_ask){ .method = "POST", .key = p->key, .query = query, .header = "If-None-Match: *", .body = xml, .body_len = n });
}

static err name_is_free(struct s3_put *p)
{
    S3_ANSWER a = { 0 };
    /* The condition on the put says it again, where the server knows conditions. */
    TRY(s3_call(&a, &p->s->bucket, &(struct s3_ask){ .method = "HEAD", .key = p->key }));
    if (a.status == 404) return OK;
    if (a.status == 200) FAIL(E_STATE, "an object named %s exists already; it was not touched", p->name);
    return s3_refused(&a, p->name);
}

static bool says_error(const struct s3_answer *a)
{
    char code[64];
    return a->len && s3_element(code, sizeof code, "Code", (const char *)a->body, a->len).code == E_OK;
}

static err put_commit(struct store_put *base)
{
    struct s3_put *p = (struct s3_put *)base;
    S3_ANSWER a = { 0 };
    if (p->spent) FAIL(E_STATE, "the object %s was committed before", p->name);
    p->spent = true;
    TRY(name_is_free(p));
    err e;
    if (p->upload[0]) {
        TRY(part_send(p));
        e = complete(&a, p);
    } else {
        e = s3_call(&a, &p->s->bucket, &(struct s3_ask){ .method = "PUT", .key = p->key, .header = "If-None-Match: *",
                                                         .body = p->used ? (const void *)p->buffer : "", .body_len = p->used });
    }
    /* No clear yes (a completion may fail under a status of 200): what stands there tells. */
    if (e.code || a.status < 200 || a.status > 299 || says_error(&a)) {
        err there = ours_stands(p);
        if (there.code) return e.code ? e : there.code == E_ABSENT ? s3_refused(&a, p->name) : there;
    }
    p->upload[0] = '\0';
    return OK;
}

static void put_close(struct store_put *base)
{
    struct s3_put *p = (struct s3_put *)base;
    if (p->upload[0]) {
        S3_ANSWER a = { 0 };
        char query[UPLOAD_ID + 16];
        snprintf(query, sizeof query, "uploadId=%s", p->upload);
        err e = s3_call(&a, &p->s->bucket, &(struct s3_ask){ .method = "DELETE", .key = p->key, .query = query, .once = true });
        if (e.code || a.status > 299) log_warn("s3: an unfinished upload of %s stays behind: let the bucket remove those after a day", p->name);
    }
    sha256_drop(&p->hash);
    free(p->etags);
    free(p->buffer);
    free(p);
}

err s3_put_open(struct store_backend *base, struct store_put **out, const char *name)
{
    *out = NULL;
    if (!link_name_ok(name, strlen(name))) FAIL(E_FORMAT, "`%s` cannot be the name of an object", name);
    struct s3_put *p = calloc(1, sizeof *p);
    if (!p) FAIL(E_MEMORY, "an object's writer");
    p->base = (struct store_put){ put_write, put_commit, put_close };
    p->s = (struct s3_store *)base;
    strcpy(p->name, name);
    snprintf(p->key, sizeof p->key, "objects/%s", name);
    STORE_PUT mine = &p->base;
    TRY(sha256_begin(&p->hash));
    *out = mine;
    mine = NULL;
    return OK;
}
