/* Owns the making of keys and certificates with OpenSSL. Called by cmd_cert.c, by the setup of a
 * replay and by whoever needs a fingerprint. It never overwrites a private key and never leaves one
 * readable for others. */
#include "cert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum { PATH_SIZE = 4096, SAN_SIZE = 2048 };

struct maker {
    const struct cert_request *request;
    EVP_PKEY *key, *ca_key;
    X509 *certificate, *ca;
    char network[128];
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct maker *maker, const char *format, ...)
{
    unsigned long code = ERR_peek_last_error();
    va_list args;
    size_t used;

    va_start(args, format);
    vsnprintf(maker->error, maker->error_size, format, args);
    va_end(args);
    used = strlen(maker->error);
    if (code != 0)
        snprintf(maker->error + used, maker->error_size - used, ": %s",
                 ERR_reason_error_string(code));
    ERR_clear_error();
    return false;
}

const char *cert_file_name(enum cert_role role)
{
    static const char *const NAMES[] = {"authority", "server", "terminal", "operator"};

    return NAMES[role];
}

static void path_of(char *path_out, const char *folder, const char *name, const char *suffix)
{
    snprintf(path_out, PATH_SIZE, "%s/%s.%s", folder, name, suffix);
}

static X509 *read_certificate(struct maker *maker, const char *path)
{
    FILE *file = fopen(path, "re");
    X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

    if (!file)
        fail(maker, "%s: %s", path, strerror(errno));
    else if (!certificate)
        fail(maker, "%s: no certificate in PEM", path);
    if (file)
        fclose(file);
    return certificate;
}

bool cert_fingerprint(const char *path, uint8_t out[32], char *error_out, size_t error_size)
{
    struct maker maker = {.error = error_out, .error_size = error_size};
    X509 *certificate = read_certificate(&maker, path);
    bool good = certificate && (X509_digest(certificate, EVP_sha256(), out, NULL) == 1 ||
                                fail(&maker, "fingerprint"));

    X509_free(certificate);
    return good;
}

/* ---- the signer ---- */

static bool load_signer(struct maker *maker)
{
    char path[PATH_SIZE];
    X509_NAME *subject;
    FILE *file;

    path_of(path, maker->request->ca_folder, "authority", "crt");
    maker->ca = read_certificate(maker, path);
    if (!maker->ca)
        return false;
    subject = X509_get_subject_name(maker->ca);
    if (X509_NAME_get_text_by_NID(subject, NID_organizationName, maker->network,
                                  sizeof maker->network) <= 0)
        return fail(maker, "%s: no organisation, hence no network, in its subject", path);
    path_of(path, maker->request->ca_folder, "authority", "key");
    file = fopen(path, "re");
    if (!file)
        return fail(maker, "%s: %s", path, strerror(errno));
    maker->ca_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return maker->ca_key || fail(maker, "%s: no private key in PEM", path);
}

/* ---- the certificate ---- */

static bool add_extension(struct maker *maker, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    int added = 0;

    X509V3_set_ctx(&ctx, maker->ca ? maker->ca : maker->certificate, maker->certificate, NULL, NULL,
                   0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (extension)
        added = X509_add_ext(maker->certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added == 1 || fail(maker, "extension %s = %s", OBJ_nid2sn(nid), value);
}

static bool is_address(const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);

    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

static bool server_san(struct maker *maker, char *san_out)
{
    char names[SAN_SIZE], *save = NULL;
    size_t used = 0;

    san_out[0] = '\0';
    snprintf(names, sizeof names, "%s", maker->request->names);
    for (char *name = strtok_r(names, ", ", &save); name; name = strtok_r(NULL, ", ", &save)) {
        int added = snprintf(san_out + used, SAN_SIZE - used, "%s%s:%s", used ? "," : "",
                             is_address(name) ? "IP" : "DNS", name);

        if (added < 0 || (size_t)added >= SAN_SIZE - used)
            return fail(maker, "too many names");
        used += (size_t)added;
    }
    return used > 0 || fail(maker, "no name for the server");
}

static bool names_of(struct maker *maker, char *common_out, char *san_out)
{
    const struct cert_request *request = maker->request;

    san_out[0] = '\0';
    switch (request->role) {
    case CERT_AUTHORITY: snprintf(common_out, 65, "%.40s authority", maker->network); return true;
    case CERT_SERVER: snprintf(common_out, 65, "loyald"); return server_san(maker, san_out);
    case CERT_TERMINAL:
        snprintf(common_out, 65, "%.31s %.32s", request->merchant, request->terminal);
        snprintf(san_out, SAN_SIZE, "URI:loyal://%s/merchant/%s/terminal/%s", maker->network,
                 request->merchant, request->terminal);
        return true;
    default:
        snprintf(common_out, 65, "operator %.50s", request->operator_name);
        snprintf(san_out, SAN_SIZE, "URI:loyal://%s/operator/%s", maker->network,
                 request->operator_name);
        return true;
    }
}

static bool set_subject(struct maker *maker, const char *common)
{
    X509_NAME *subject = X509_get_subject_name(maker->certificate);
    const unsigned char *network = (const unsigned char *)maker->network;

    if (X509_NAME_add_entry_by_NID(subject, NID_organizationName, MBSTRING_UTF8, network, -1, -1,
                                   0) != 1 ||
        X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                   (const unsigned char *)common, -1, -1, 0) != 1)
        return fail(maker, "subject of the certificate");
    X509_set_issuer_name(maker->certificate,
                         maker->ca ? X509_get_subject_name(maker->ca) : subject);
    return true;
}

/* An hour back, so that a machine whose clock is a little behind accepts it. */
static bool set_life(struct maker *maker)
{
    unsigned char serial[16];
    BIGNUM *number = NULL;
    bool good;

    if (RAND_bytes(serial, sizeof serial) == 1) {
        serial[0] &= 0x7f;
        number = BN_bin2bn(serial, sizeof serial, NULL);
    }
    good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(maker->certificate)) &&
           X509_gmtime_adj(X509_getm_notBefore(maker->certificate), -3600) &&
           X509_time_adj_ex(X509_getm_notAfter(maker->certificate), maker->request->days, 0, NULL);
    BN_free(number);
    return good || fail(maker, "serial number or validity");
}

static bool set_extensions(struct maker *maker, const char *san)
{
    bool authority = maker->request->role == CERT_AUTHORITY;

    return add_extension(maker, NID_basic_constraints,
                         authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
           add_extension(maker, NID_key_usage,
                         authority ? "critical,keyCertSign,cRLSign"
                                   : "critical,digitalSignature") &&
           (authority ||
            add_extension(maker, NID_ext_key_usage,
                          maker->request->role == CERT_SERVER ? "serverAuth" : "clientAuth")) &&
           (!san[0] || add_extension(maker, NID_subject_alt_name, san)) &&
           add_extension(maker, NID_subject_key_identifier, "hash") &&
           add_extension(maker, NID_authority_key_identifier, "keyid:always");
}

static bool build(struct maker *maker)
{
    char common[66], san[SAN_SIZE];

    maker->key = EVP_EC_gen("P-256");
    maker->certificate = X509_new();
    if (!maker->key || !maker->certificate || X509_set_version(maker->certificate, 2) != 1 ||
        X509_set_pubkey(maker->certificate, maker->key) != 1)
        return fail(maker, "new key");
    if (!names_of(maker, common, san) || !set_subject(maker, common) || !set_life(maker) ||
        !set_extensions(maker, san))
        return false;
    if (X509_sign(maker->certificate, maker->ca_key ? maker->ca_key : maker->key, EVP_sha256()) ==
        0)
        return fail(maker, "signature");
    return true;
}

/* ---- files ---- */

static bool write_certificate(struct maker *maker, const char *path, X509 *certificate)
{
    FILE *file = fopen(path, "we");
    bool good;

    if (!file)
        return fail(maker, "%s: %s", path, strerror(errno));
    good = PEM_write_X509(file, certificate) == 1;
    good = fclose(file) == 0 && good;
    return good || fail(maker, "%s: cannot write", path);
}

static bool write_key(struct maker *maker, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool good;

    if (!file) {
        fail(maker, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    good = PEM_write_PKCS8PrivateKey(file, maker->key, NULL, NULL, 0, NULL, NULL) == 1;
    good = fflush(file) == 0 && fsync(fd) == 0 && good;
    good = fclose(file) == 0 && good;
    return good || fail(maker, "%s: cannot write", path);
}

/* Every folder of the path that is missing, private. */
static bool make_folders(struct maker *maker, const char *path)
{
    char part[PATH_SIZE];

    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return fail(maker, "%s: %s", part, strerror(errno));
        *slash = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return fail(maker, "%s: %s", part, strerror(errno));
    return true;
}

static bool write_bundle(struct maker *maker)
{
    const struct cert_request *request = maker->request;
    const char *name = cert_file_name(request->role);
    char path[PATH_SIZE];

    if (!make_folders(maker, request->out_folder))
        return false;
    path_of(path, request->out_folder, name, "key");
    if (!write_key(maker, path))
        return false;
    path_of(path, request->out_folder, name, "crt");
    if (!write_certificate(maker, path, maker->certificate))
        return false;
    path_of(path, request->out_folder, "authority", "crt");
    if (!maker->ca || access(path, F_OK) == 0)
        return true;
    return write_certificate(maker, path, maker->ca);
}

bool cert_make(const struct cert_request *request, uint8_t fingerprint_out[32], char *error_out,
               size_t error_size)
{
    struct maker maker = {.request = request, .error = error_out, .error_size = error_size};
    bool good = true;

    ERR_clear_error();
    if (request->role == CERT_AUTHORITY)
        snprintf(maker.network, sizeof maker.network, "%s", request->network);
    else
        good = load_signer(&maker);
    good = good && build(&maker) && write_bundle(&maker);
    if (good && X509_digest(maker.certificate, EVP_sha256(), fingerprint_out, NULL) != 1)
        good = fail(&maker, "fingerprint");
    X509_free(maker.certificate);
    X509_free(maker.ca);
    EVP_PKEY_free(maker.key);
    EVP_PKEY_free(maker.ca_key);
    return good;
}
