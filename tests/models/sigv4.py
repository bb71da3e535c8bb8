"""AWS Signature Version 4, written from AWS's description of the process; shares nothing with keystore/sigv4.c."""
import hashlib
import hmac
import re
import time


def amz_date(seconds=None):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def canonical(method, path, query, headers, body):
    """`headers`: {name: value}, those that are signed. Returns (canonical request, signed header names)."""
    lines = {name.lower(): re.sub(r"[ \t]+", " ", value).strip() for name, value in headers.items()}
    names = ";".join(sorted(lines))
    return "\n".join([method, path, query, *(f"{n}:{lines[n]}" for n in sorted(lines)), "", names,
                      hashlib.sha256(body).hexdigest()]), names


def string_to_sign(request, date, region, service):
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    return "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(request.encode()).hexdigest()]), scope


def signature(text, secret, date, region, service):
    key = _mac(_mac(_mac(_mac(("AWS4" + secret).encode(), date[:8]), region), service), "aws4_request")
    return _mac(key, text).hex()


def authorization(method, path, query, headers, body, date, region, service, access, secret):
    request, names = canonical(method, path, query, headers, body)
    text, scope = string_to_sign(request, date, region, service)
    return (f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, "
            f"Signature={signature(text, secret, date, region, service)}")
