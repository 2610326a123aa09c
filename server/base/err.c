/* Fills operating errors. Called by whoever meets one first; never logs and never ends the process.
 */
#include "base/err.h"

#include <stdarg.h>
#include <string.h>

static void fill(struct err *err, int code, const char *format, va_list arguments)
{
    err->code = code;
    err->sqlstate[0] = '\0';
    int length = vsnprintf(err->text, sizeof err->text, format, arguments);
    if (code == 0 || length < 0 || (size_t)length >= sizeof err->text)
        return;
    char cause[128];
    snprintf(err->text + length, sizeof err->text - (size_t)length, ": %s",
             strerror_r(code, cause, sizeof cause));
}

bool err_set(struct err *err, const char *format, ...)
{
    if (!err)
        return false;
    va_list arguments;
    va_start(arguments, format);
    fill(err, 0, format, arguments);
    va_end(arguments);
    return false;
}

bool err_set_errno(struct err *err, int code, const char *format, ...)
{
    if (!err)
        return false;
    va_list arguments;
    va_start(arguments, format);
    fill(err, code, format, arguments);
    va_end(arguments);
    return false;
}
