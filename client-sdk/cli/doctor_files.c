/* The doctor's look at files: certificates near their end, keys that others can read. */
#include "doctor.h"
#include "doctor_certificate.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

void doctor_certificate(struct doctor *doctor, const char *check, const X509 *certificate,
                        const char *where)
{
    struct finding finding = {
        VERDICT_OK, "certificate", check, "Once it has ended, no connection can be made with it.",
        "Make a new one (loyalctl cert, or your authority), put it in place, send SIGHUP."};
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    int days = 0, seconds = 0;
    struct tm parts;
    char date[16] = "?";

    if (ASN1_TIME_to_tm(end, &parts) == 1)
        strftime(date, sizeof date, "%Y-%m-%d", &parts);
    ASN1_TIME_diff(&days, &seconds, NULL, end);
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        finding.verdict = VERDICT_FAULT;
        doctor_file(doctor, &finding, "%s is not valid yet", where);
        return;
    }
    if (days < 0 || seconds < 0)
        finding.verdict = VERDICT_FAULT;
    else if (days < CERTIFICATE_DAYS_MIN)
        finding.verdict = VERDICT_WARNING;
    doctor_file(doctor, &finding, "%s %s %s, %d days", where,
                finding.verdict == VERDICT_FAULT ? "expired on" : "holds until", date, days);
}

static void unreadable(struct doctor *doctor, const char *area, const char *check, const char *path)
{
    const struct finding finding = {VERDICT_FAULT, area, check,
                                    "The daemon does not start without this file.",
                                    "Put it in place, readable by the daemon's user; run the "
                                    "doctor as that user or as root."};

    doctor_file(doctor, &finding, "%s: %s", path, strerror(errno));
}

/* Each certificate of a PEM file. */
static void certificates(struct doctor *doctor, const char *check, const char *path)
{
    FILE *file = path ? fopen(path, "re") : NULL;
    X509 *certificate;

    if (!path)
        return;
    if (!file) {
        unreadable(doctor, "certificate", check, path);
        return;
    }
    while ((certificate = PEM_read_X509(file, NULL, NULL, NULL))) {
        doctor_certificate(doctor, check, certificate, path);
        X509_free(certificate);
    }
    ERR_clear_error();
    fclose(file);
}

/* forbidden: bits of the mode that nobody may have. */
static void secret(struct doctor *doctor, const char *check, const char *path, mode_t forbidden)
{
    struct finding finding = {VERDICT_OK, "secret", check,
                              "Whoever reads it can be this daemon, or find out who a member is.",
                              "chmod 600 it; if others could read it, replace it (RUNBOOK, Keys)."};
    struct stat status;

    if (!path)
        return;
    if (stat(path, &status) != 0) {
        unreadable(doctor, "secret", check, path);
        return;
    }
    if (status.st_mode & forbidden)
        finding.verdict = VERDICT_FAULT;
    doctor_file(doctor, &finding, "%s has mode %03o", path, (unsigned)status.st_mode & 0777);
}

void doctor_files(struct doctor *doctor)
{
    certificates(doctor, "certificate_file", doctor->config.certificate_file);
    certificates(doctor, "authority_file", doctor->config.authority_file);
    certificates(doctor, "my-certificate", doctor->cli->values[OPT_MY_CERTIFICATE]);
    secret(doctor, "key_file", doctor->config.key_file, 037);
    secret(doctor, "keyring_file", doctor->config.keyring_file, 077);
    secret(doctor, "my-key", doctor->cli->values[OPT_MY_KEY], 077);
}
