/* luks.c - the only file that names libcryptsetup. */
#include "diskcrypt/luks.h"

#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"

static const struct crypt_pbkdf_type rounds = {
    .type = CRYPT_KDF_PBKDF2, .hash = "sha256", .iterations = LUKS_ROUNDS, .flags = CRYPT_PBKDF_NO_BENCHMARK,
};

static void device_free(struct crypt_device **cd)
{
    if (*cd) crypt_free(*cd);
    *cd = NULL;
}
#define DEVICE __attribute__((cleanup(device_free))) struct crypt_device *

/* What the library has to say; it prints no keys. Hints for people at a terminal are not for us. */
static void on_log(int level, const char *words, void *none)
{
    (void)none;
    int n = (int)strcspn(words, "\n");
    if (level == CRYPT_LOG_ERROR) log_error("libcryptsetup: %.*s", n, words);
    else log_debug("libcryptsetup: %.*s", n, words);
}

static err lib(int r, const char *what)
{
    if (r >= 0) return OK;
    errno = -r;
    FAIL(r == -ENOMEM ? E_MEMORY : r == -EPERM ? E_AUTH : E_IO, "%s", what);
}

static err device_new(struct crypt_device **out, const char *path)
{
    crypt_set_log_callback(NULL, on_log, NULL);
    /* Nobody else has this device, and /run may not be there: no lock files. */
    TRY(lib(crypt_metadata_locking(NULL, 0), "turning lock files off"));
    return lib(crypt_init(out, path), "opening the disk for LUKS");
}

static err head_read(uint8_t **out, int fd)
{
    BYTES head = NULL;
    TRY(mem_new(&head, LUKS_DATA));
    for (size_t at = 0; at < LUKS_DATA; ) {
        ssize_t n = pread(fd, head + at, LUKS_DATA - at, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) FAIL(E_IO, "reading the LUKS header");
        if (n == 0) FAIL(E_FORMAT, "the disk is too small for a LUKS header");
        at += (size_t)n;
    }
    *out = take_bytes(&head);
    return OK;
}

static err header_check(const char *path, const struct luks_owner *owner)
{
    BYTES head = NULL;
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(E_IO, "opening %s", path);
    TRY(head_read(&head, fd));
    return luks_header_check(head, owner);
}

/* The library overwrites the keyslot area with random bytes: they would only weigh in every sealed copy. */
static err slots_clear(const char *path)
{
    BYTES nothing = NULL;
    FD fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) FAIL(E_IO, "opening %s", path);
    TRY(mem_new(&nothing, LUKS_SLOTS));
    if (pwrite(fd, nothing, LUKS_SLOTS, 2 * LUKS_COPY) != LUKS_SLOTS || fsync(fd) != 0) FAIL(E_IO, "clearing the keyslot area");
    return OK;
}

static err empty_check(const char *path)
{
    BYTES head = NULL;
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(E_IO, "opening %s", path);
    TRY(head_read(&head, fd));
    for (size_t i = 0; i < LUKS_DATA; i++)
        if (head[i]) FAIL(E_STATE, "the disk is not empty: no new LUKS header is written over it");
    return OK;
}

static err key_length(const secret *key)
{
    if (secret_len(key) != LUKS_KEY) FAIL(E_FORMAT, "a volume key has %d bytes", LUKS_KEY);
    return OK;
}

static err header_write(const char *path, const secret *key, const struct luks_owner *owner)
{
    DEVICE cd = NULL;
    char token[LUKS_TOKEN];
    struct crypt_params_luks2 params = { .pbkdf = &rounds, .sector_size = LUKS_SECTOR };
    luks_header_token(token, owner);
    TRY(device_new(&cd, path));
    TRY(lib(crypt_set_metadata_size(cd, LUKS_COPY, LUKS_SLOTS), "the LUKS header's size"));
    TRY(lib(crypt_set_data_offset(cd, LUKS_DATA / 512), "where the data begins"));
    TRY(lib(crypt_format(cd, CRYPT_LUKS2, "aes", "xts-plain64", NULL, (const char *)secret_peek(key), LUKS_KEY, &params),
            "writing the LUKS header"));
    return lib(crypt_token_json_set(cd, 0, token), "writing the LUKS token");
}

err luks_format(const char *path, const secret *key, const struct luks_owner *owner)
{
    TRY(key_length(key));
    TRY(empty_check(path));
    TRY(header_write(path, key, owner));
    TRY(slots_clear(path));
    return luks_check(path, key, owner);
}

static bool is(const char *got, const char *want)
{
    return got && strcmp(got, want) == 0;
}

/* Bytes that pass our reading must mean the same to the library: two readers of one format may differ. */
static err meaning_check(struct crypt_device *cd)
{
    uint32_t flags = 0, requirements = 0;
    if (!is(crypt_get_cipher(cd), "aes") || !is(crypt_get_cipher_mode(cd), "xts-plain64")) FAIL(E_FORMAT, "libcryptsetup reads another cipher");
    /* Without a keyslot the size is that of the key which fits the digest, and the library reads none. */
    if (crypt_get_volume_key_size(cd) > 0) FAIL(E_FORMAT, "libcryptsetup reads a keyslot");
    if (crypt_get_sector_size(cd) != LUKS_SECTOR) FAIL(E_FORMAT, "libcryptsetup reads another sector size");
    if (crypt_get_data_offset(cd) != LUKS_DATA / 512) FAIL(E_FORMAT, "libcryptsetup reads another place of the data");
    if (crypt_get_iv_offset(cd) != 0) FAIL(E_FORMAT, "libcryptsetup reads another IV offset");
    TRY(lib(crypt_persistent_flags_get(cd, CRYPT_FLAGS_ACTIVATION, &flags), "reading the LUKS flags"));
    TRY(lib(crypt_persistent_flags_get(cd, CRYPT_FLAGS_REQUIREMENTS, &requirements), "reading the LUKS requirements"));
    if (flags || requirements) FAIL(E_FORMAT, "libcryptsetup reads flags");
    if (crypt_reencrypt_status(cd, NULL) != CRYPT_REENCRYPT_NONE) FAIL(E_FORMAT, "libcryptsetup reads an unfinished reencryption");
    return OK;
}

static err load(struct crypt_device **cd, const char *path, const secret *key, const struct luks_owner *owner)
{
    TRY(key_length(key));
    TRY(header_check(path, owner));
    TRY(device_new(cd, path));
    TRY(lib(crypt_load(*cd, CRYPT_LUKS2, NULL), "reading the LUKS header"));
    TRY(meaning_check(*cd));
    if (crypt_volume_key_verify(*cd, (const char *)secret_peek(key), LUKS_KEY) < 0) FAIL(E_AUTH, "the LUKS header is for another volume key");
    return OK;
}

err luks_check(const char *path, const secret *key, const struct luks_owner *owner)
{
    DEVICE cd = NULL;
    return load(&cd, path, key, owner);
}

static err mapper_load(struct crypt_device **cd, const char *path, const secret *key, const struct luks_owner *owner)
{
    /* No udev answers in an enclave: libdevmapper makes the node itself. */
    if (setenv("DM_DISABLE_UDEV", "1", 1) != 0) FAIL(E_MEMORY, "no memory");
    if (access("/dev/mapper/control", F_OK) != 0) FAIL(E_ABSENT, "this kernel has no device-mapper");
    return load(cd, path, key, owner);
}

err luks_open(const char *path, const char *name, const secret *key, const struct luks_owner *owner)
{
    DEVICE cd = NULL;
    TRY(mapper_load(&cd, path, key, owner));
    return lib(crypt_activate_by_volume_key(cd, name, (const char *)secret_peek(key), LUKS_KEY, CRYPT_ACTIVATE_ALLOW_DISCARDS),
               "opening the LUKS mapping");
}

err luks_resize(const char *path, const char *name, const secret *key, const struct luks_owner *owner)
{
    DEVICE cd = NULL;
    TRY(mapper_load(&cd, path, key, owner));
    /* The mapping's table is written anew, so this process has to give the kernel the key once more. */
    TRY(lib(crypt_activate_by_volume_key(cd, NULL, (const char *)secret_peek(key), LUKS_KEY, CRYPT_ACTIVATE_KEYRING_KEY),
            "giving the kernel the volume key"));
    return lib(crypt_resize(cd, name, 0), "making the LUKS mapping larger");
}
