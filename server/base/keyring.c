/* Reads and makes the keyring file and derives keys from it. Called by main and the sessions; never
 * prints a key or part of one, and wipes what it gives back. */
#include "base/keyring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

#define LINE_BYTES_MAX 256

struct keyring {
    int newest;
    int oldest;
    bool known[KEYRING_VERSIONS_MAX + 1];
    uint8_t master[KEYRING_VERSIONS_MAX + 1][HASH_BYTES];
    uint8_t identifier_key[HASH_BYTES];
    uint8_t enrol_key[HASH_BYTES];
    uint8_t place_key[HASH_BYTES];
    uint8_t body_key[HASH_BYTES];
};

/* Blank lines and comments pass. The text never repeats the line: it may hold a key. */
static bool parse_line(struct keyring *keyring, char *line, const char **fault_out)
{
    line[strcspn(line, "#\r\n")] = '\0';
    char version_text[8], hex[LINE_BYTES_MAX], word[16], rest[2];
    int fields = sscanf(line, "%7s %255s %15s %1s", version_text, hex, word, rest);
    if (fields <= 0)
        return true;
    char *end;
    long version = strtol(version_text, &end, 10);
    bool is_announced = fields == 3 && strcmp(word, "announced") == 0;
    bool good = (fields == 2 || is_announced) && *end == '\0' && version >= 1 &&
                version <= KEYRING_VERSIONS_MAX;
    *fault_out = "expected: a version from 1 to 255, a blank, 64 hexadecimal digits, and perhaps "
                 "the word announced";
    if (good && keyring->known[version]) {
        *fault_out = "this version stands in the file twice";
        good = false;
    }
    if (good && hash_of_hex(hex, keyring->master[version])) {
        keyring->known[version] = true;
        if (!is_announced && (int)version > keyring->newest)
            keyring->newest = (int)version;
        if (!is_announced && (keyring->oldest == 0 || (int)version < keyring->oldest))
            keyring->oldest = (int)version;
    } else {
        good = false;
    }
    OPENSSL_cleanse(hex, sizeof hex);
    return good;
}

static bool parse(struct keyring *keyring, FILE *file, const char *path, struct err *err)
{
    char line[LINE_BYTES_MAX];
    const char *fault = "";
    bool good = true;
    for (int number = 1; good && fgets(line, sizeof line, file); number++) {
        good = strchr(line, '\n') || feof(file);
        if (!good)
            fault = "the line is too long";
        good = good && parse_line(keyring, line, &fault);
        if (!good)
            err_set(err, "%s:%d: %s", path, number, fault);
    }
    OPENSSL_cleanse(line, sizeof line);
    if (good && ferror(file))
        return err_set_errno(err, EIO, "%s: cannot be read", path);
    if (good && keyring->newest == 0)
        return err_set(err, "%s: holds no key; make one with loyald --make-keyring FILE", path);
    return good;
}

static FILE *open_secret(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        err_set_errno(err, errno, "%s: cannot be read: keyring_file must be readable by loyald",
                      path);
    } else if (!S_ISREG(status.st_mode)) {
        err_set(err, "%s: is not a regular file", path);
    } else if (status.st_mode & 077) {
        err_set(err, "%s: is open to group or others (mode %03o): chmod 600 it", path,
                (unsigned int)status.st_mode & 0777);
    } else {
        FILE *file = secret_file_open(fd);
        if (file)
            return file;
        err_set_errno(err, errno, "%s: cannot be read", path);
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

struct keyring *keyring_create(const char *path, struct err *err)
{
    FILE *file = open_secret(path, err);
    if (!file)
        return NULL;
    struct keyring *keyring = OPENSSL_secure_zalloc(sizeof *keyring);
    bool good = keyring ? parse(keyring, file, path, err) : err_set(err, "no memory");
    if (good) {
        const uint8_t *master = keyring->master[keyring->oldest];
        hash_derive(master, "identifier", 10, keyring->identifier_key);
        hash_derive(master, "enrol", 5, keyring->enrol_key);
        hash_derive(master, "place", 5, keyring->place_key);
        hash_derive(master, "body", 4, keyring->body_key);
    }
    fclose(file);
    if (!good)
        keyring_destroy(&keyring);
    return keyring;
}

void keyring_destroy(struct keyring **keyring)
{
    OPENSSL_secure_clear_free(*keyring, sizeof **keyring);
    *keyring = NULL;
}

bool keyring_file_make(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, errno,
                             "%s: cannot be made (a keyring is never overwritten: losing one "
                             "loses all members)",
                             path);
    uint8_t key[HASH_BYTES];
    char text[160];
    hash_random(key, sizeof key);
    int used = snprintf(text, sizeof text, "# loyald keyring: version key. Keep a copy.\n1 ");
    for (size_t i = 0; i < sizeof key; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%02x", key[i]);
    text[used++] = '\n';
    bool done = write(fd, text, (size_t)used) == used && fsync(fd) == 0;
    int code = errno;
    done = close(fd) == 0 && done;
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(text, sizeof text);
    if (done)
        return true;
    unlink(path);
    return err_set_errno(err, code, "%s: cannot be written", path);
}

int keyring_newest(const struct keyring *keyring)
{
    return keyring->newest;
}

int keyring_oldest(const struct keyring *keyring)
{
    return keyring->oldest;
}

const uint8_t *keyring_identifier_key(const struct keyring *keyring)
{
    return keyring->identifier_key;
}

const uint8_t *keyring_enrol_key(const struct keyring *keyring)
{
    return keyring->enrol_key;
}

const uint8_t *keyring_body_key(const struct keyring *keyring)
{
    return keyring->body_key;
}

const uint8_t *keyring_place_key(const struct keyring *keyring)
{
    return keyring->place_key;
}

static bool is_known(const struct keyring *keyring, int version)
{
    return version >= 1 && version <= KEYRING_VERSIONS_MAX && keyring->known[version];
}

bool keyring_ref_key(const struct keyring *keyring, int version, int32_t merchant_id,
                     uint8_t key_out[HASH_BYTES])
{
    if (!is_known(keyring, version))
        return false;
    uint8_t label[3 + 4] = {'r', 'e', 'f'};
    put_u32(label + 3, (uint32_t)merchant_id);
    hash_derive(keyring->master[version], label, sizeof label, key_out);
    return true;
}

void keyring_purchase_key(const struct keyring *keyring, int32_t merchant_id,
                          uint8_t key_out[HASH_BYTES])
{
    uint8_t label[8 + 4] = {'p', 'u', 'r', 'c', 'h', 'a', 's', 'e'};
    put_u32(label + 8, (uint32_t)merchant_id);
    hash_derive(keyring->master[keyring->oldest], label, sizeof label, key_out);
}

bool keyring_cursor_key(const struct keyring *keyring, int version, uint8_t key_out[HASH_BYTES])
{
    if (!is_known(keyring, version))
        return false;
    hash_derive(keyring->master[version], "cursor", 6, key_out);
    return true;
}
