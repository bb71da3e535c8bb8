/* cmd_eif.c - `holdfast pcr` and `holdfast eif`: what an enclave image is, and what it will measure as. */
#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "keystore/pem.h"
#include "parent/file.h"
#include "parent/measure.h"
#include "parent/say.h"

enum { HEX = 2 * EIF_PCR + 1, CERTIFICATE_FILE = 64 << 10 };

/* ---- PCRs ---- */

static json_t *pcrs_json(const struct eif_pcrs *p)
{
    char hex[4][HEX];
    const uint8_t *const value[4] = { p->pcr0, p->pcr1, p->pcr2, p->pcr8 };
    for (int i = 0; i < 4; i++) hex_from(hex[i], value[i], EIF_PCR);
    return json_pack("{s:s, s:s, s:s, s:s*}", "PCR0", hex[0], "PCR1", hex[1], "PCR2", hex[2], "PCR8", p->has_pcr8 ? hex[3] : NULL);
}

static enum exits tell_pcrs(const struct call *c, const struct eif_pcrs *p)
{
    JSON out = pcrs_json(p);
    if (c->json) return say_json(&out);
    const char *name;
    json_t *value;
    json_object_foreach(out, name, value) printf("%s %s\n", name, json_string_value(value));
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits measured_badly(const struct call *c, const char *path, enum measure_end how, const struct measured *m)
{
    if (how == MEASURE_NO_FILE) return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: %s cannot be read", c->command->name, path);
    if (how == MEASURE_CRC)
        return say_failure(c, EXIT_REFUSED, NULL, "Copy or build the image again.", "%s: %s is damaged: its CRC is %08x, its header says %08x",
                           c->command->name, path, m->pcrs.crc, m->image.crc);
    return say_failure(c, EXIT_REFUSED, NULL, "The line above says what is wrong.", "%s: %s is not a well-formed enclave image", c->command->name, path);
}

static enum exits pcr_of_image(const struct call *c, const char *path)
{
    struct measured m;
    const enum measure_end how = measure_image(&m, path);
    return how == MEASURE_DONE ? tell_pcrs(c, &m.pcrs) : measured_badly(c, path, how, &m);
}

/* `@F` is a file's text; one line end that an editor leaves is not part of it. */
static enum exits add_cmdline(struct eif_meter *m, const struct call *c, const char *text)
{
    BYTES file = NULL;
    size_t n = strlen(text);
    if (text[0] == '@') {
        if (file_read(&file, &n, text + 1, EIF_CMDLINE_MAX).code)
            return say_failure(c, EXIT_USAGE, NULL, NULL, "pcr: --cmdline %s cannot be read", text);
        if (n && file[n - 1] == '\n') n--;
    }
    eif_meter_part(m, EIF_CMDLINE);
    eif_meter_add(m, file ? (const void *)file : text, n);
    return EXIT_DONE;
}

static enum exits add_file(struct eif_meter *m, const struct call *c, enum eif_type type, const char *path)
{
    eif_meter_part(m, type);
    if (measure_file(m, path).code) return say_failure(c, EXIT_USAGE, NULL, NULL, "pcr: the %s %s cannot be read", eif_type_text(type), path);
    return EXIT_DONE;
}

static enum exits take_certificate(struct eif_pcrs *out, const struct call *c, const char *path)
{
    BYTES text = NULL;
    uint8_t der[EIF_CERT_MAX];
    size_t n = 0, der_len = 0;
    if (file_read(&text, &n, path, CERTIFICATE_FILE).code || pem_certificate(der, sizeof der, &der_len, text, n).code)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "pcr: --certificate %s is not a certificate in PEM", path);
    eif_pcr8(out->pcr8, der, der_len);
    out->has_pcr8 = true;
    return EXIT_DONE;
}

static enum exits pcr_of_parts(const struct call *c, const char *kernel, const char *cmdline, const char *certificate)
{
    EIF_METER m = NULL;
    struct eif_pcrs out = { .crc = 0 };
    if (eif_meter_new(&m).code) return say_failure(c, EXIT_REFUSED, NULL, NULL, "no memory");
    enum exits code = add_file(m, c, EIF_KERNEL, kernel);
    if (code == EXIT_DONE) code = add_cmdline(m, c, cmdline);
    for (size_t i = 0; code == EXIT_DONE && i < c->repeated_count; i++) code = add_file(m, c, EIF_RAMDISK, c->repeated[i]);
    if (code == EXIT_DONE && certificate) code = take_certificate(&out, c, certificate);
    if (code != EXIT_DONE) return code;
    eif_meter_end(&m, &out);
    return tell_pcrs(c, &out);
}

static enum exits run_pcr(const struct call *c)
{
    const char *kernel = call_value(c, "kernel"), *cmdline = call_value(c, "cmdline"), *certificate = call_value(c, "certificate");
    const bool parts = kernel || cmdline || certificate || c->repeated_count;
    if (parts == (c->operand_count == 1))
        return say_failure(c, EXIT_USAGE, NULL, NULL, "pcr: give an image, or --kernel, --cmdline and --ramdisk");
    if (!parts) return pcr_of_image(c, c->operands[0]);
    if (!kernel || !cmdline || !c->repeated_count)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "pcr: --kernel, --cmdline and at least one --ramdisk belong together");
    return pcr_of_parts(c, kernel, cmdline, certificate);
}

/* ---- inspect ---- */

static err section_bytes(uint8_t **out, size_t *n, const struct eif *e, const char *path, enum eif_type type)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    BLK image = NULL;
    BYTES room = NULL;
    if (fd < 0) FAIL(E_IO, "%s", path);
    TRY(blk_from_fd(&image, &fd));
    for (size_t i = 0; i < e->count; i++) {
        const struct eif_section *s = &e->section[i];
        if (s->type != type) continue;
        /* The kinds that are asked for have a bound, which eif_read() has kept. */
        *n = (size_t)s->size;
        TRY(mem_new(&room, *n + 1));
        TRY(image->read_at(image, room, *n, s->offset + EIF_SECTION_HEADER));
        *out = take_bytes(&room);
        return OK;
    }
    return (err){ E_ABSENT };
}

static json_t *sections_json(const struct eif *e)
{
    json_t *out = json_array();
    for (size_t i = 0; i < e->count; i++) {
        const struct eif_section *s = &e->section[i];
        json_array_append_new(out, json_pack("{s:s, s:i, s:I, s:I}", "type", eif_type_text(s->type), "flags", (int)s->flags,
                                             "offset", (json_int_t)s->offset, "size", (json_int_t)s->size));
    }
    return out;
}

/* The builder's own account of the image: not measured, so nothing to be trusted. */
static json_t *metadata_json(const struct eif *e, const char *path)
{
    BYTES text = NULL;
    size_t n = 0;
    if (section_bytes(&text, &n, e, path, EIF_METADATA).code) return json_null();
    json_t *out = json_loadb((const char *)text, n, JSON_REJECT_DUPLICATES, NULL);
    return out ? out : json_string("not well-formed JSON");
}

static json_t *signature_json(const struct measured *m, const char *path)
{
    BYTES section = NULL;
    BYTES room = NULL;
    size_t n = 0;
    char hex[HEX];
    if (section_bytes(&section, &n, &m->image, path, EIF_SIGNATURE).code || mem_new(&room, sizeof(struct eif_signature)).code) return json_null();
    struct eif_signature *s = (struct eif_signature *)(void *)room;
    if (eif_signature_parse(s, section, n).code) return json_null();
    hex_from(hex, s->pcr0, EIF_PCR);
    const bool same = s->names_pcr0 && memcmp(s->pcr0, m->pcrs.pcr0, EIF_PCR) == 0;
    /* Nitro checks the signature itself when it starts the image. */
    return json_pack("{s:I, s:b, s:s*}", "certificate_size", (json_int_t)s->certificate_len, "names_this_pcr0", (int)same,
                     "pcr0", s->names_pcr0 ? hex : NULL);
}

static json_t *image_json(const struct measured *m, const char *path)
{
    char stored[9], computed[9];
    const struct eif *e = &m->image;
    snprintf(stored, sizeof stored, "%08x", e->crc);
    snprintf(computed, sizeof computed, "%08x", m->pcrs.crc);
    return json_pack("{s:i, s:s, s:I, s:I, s:o, s:{s:s, s:s, s:b}, s:o, s:o, s:o}", "version", (int)e->version,
                     "architecture", e->flags & EIF_ARM64 ? "aarch64" : "x86_64", "default_memory", (json_int_t)e->default_mem,
                     "default_cpus", (json_int_t)e->default_cpus, "sections", sections_json(e),
                     "crc", "header", stored, "file", computed, "good", (int)(e->crc == m->pcrs.crc),
                     "signature", signature_json(m, path), "metadata", metadata_json(e, path), "measurements", pcrs_json(&m->pcrs));
}

static void tell_sections(const struct eif *e)
{
    printf("%-10s %6s %12s %12s\n", "SECTION", "FLAGS", "OFFSET", "SIZE");
    for (size_t i = 0; i < e->count; i++)
        printf("%-10s %6u %12" PRIu64 " %12" PRIu64 "\n", eif_type_text(e->section[i].type), e->section[i].flags,
               e->section[i].offset, e->section[i].size);
    putchar('\n');
}

static enum exits run_eif(const struct call *c)
{
    struct measured m;
    if (strcmp(c->operands[0], "inspect") != 0)
        return say_failure(c, EXIT_USAGE, NULL, NULL, "eif: there is no `eif %s`, only `eif inspect IMAGE`", c->operands[0]);
    const char *path = c->operands[1];
    const enum measure_end how = measure_image(&m, path);
    if (how != MEASURE_DONE && how != MEASURE_CRC) return measured_badly(c, path, how, &m);
    JSON out = image_json(&m, path);
    const enum exits code = how == MEASURE_DONE ? EXIT_DONE : EXIT_REFUSED;
    if (c->json) return say_json(&out) == EXIT_DONE ? code : EXIT_REFUSED;
    tell_sections(&m.image);
    json_object_del(out, "sections");
    say_members(out);
    if (code != EXIT_DONE) return measured_badly(c, path, how, &m);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static const struct option_row pcr_options[] = {
    { "kernel", "FILE", "instead of an image: its parts, in the order in which they are measured" },
    { "cmdline", "TEXT|@FILE", "the kernel's command line, or a file with it" },
    { "ramdisk", "FILE...", "a ramdisk; may be given again, the first one is part of PCR1" },
    { "certificate", "FILE", "the certificate that the image will be signed with, in PEM (PCR8)" },
    { NULL, NULL, NULL },
};
static const struct option_row no_options[] = { { NULL, NULL, NULL } };

const struct command pcr_command = {
    .name = "pcr", .operands = "[IMAGE]", .operands_most = 1, .options = pcr_options, .run = run_pcr,
    .summary = "Compute the PCRs that an enclave image, or its parts, will be measured as." };
const struct command eif_command = {
    .name = "eif", .operands = "inspect IMAGE", .operands_least = 2, .operands_most = 2, .options = no_options, .run = run_eif,
    .summary = "Show what is in an enclave image: sections, CRC, signature, metadata, PCRs." };
