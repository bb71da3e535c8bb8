"""A bucket in memory, for what the real server of test_s3.py cannot do: listings of several pages, writers that race,
conditional puts (or none). It checks no signatures. Every answered write shows in the next listing, as with S3."""
import hashlib
import http.server
import socketserver
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

PAGE = 100


class Bucket(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, conditional):
        self.conditional, self.objects, self.parts, self.lock = conditional, {}, {}, threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code):
        self.answer(status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>x</Message></Error>".encode())

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        key = urllib.parse.unquote(url.path).split("/", 2)[2] if url.path.count("/") > 1 else ""
        with self.server.lock:
            getattr(self, "on_" + self.command)(key, query, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one

    def on_PUT(self, key, query, body):
        if "uploadId" in query:
            self.server.parts.setdefault(query["uploadId"], {})[int(query["partNumber"])] = body
            return self.answer(200, ETag='"%s"' % hashlib.md5(body).hexdigest())
        have = self.server.objects.get(key)
        if self.server.conditional:
            if self.headers.get("If-None-Match") == "*" and have:
                return self.error(412, "PreconditionFailed")
            if self.headers.get("If-Match") and (not have or self.headers["If-Match"].strip('"') != have[1]):
                return self.error(412, "PreconditionFailed")
        etag = hashlib.md5(body).hexdigest()
        self.server.objects[key] = (body, etag, time.time())
        self.answer(200, ETag=f'"{etag}"')

    def on_POST(self, key, query, body):
        if "uploads" in query:
            name = f"u{len(self.server.parts)}-{time.time_ns()}"
            self.server.parts[name] = {}
            return self.answer(200, f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>".encode())
        whole = b"".join(p for _, p in sorted(self.server.parts.pop(query["uploadId"]).items()))
        self.server.objects[key] = (whole, hashlib.md5(whole).hexdigest() + "-2", time.time())
        self.answer(200, f'<CompleteMultipartUploadResult><ETag>"{self.server.objects[key][1]}"</ETag></CompleteMultipartUploadResult>'.encode())

    def on_DELETE(self, key, query, body):
        if "uploadId" in query:
            self.server.parts.pop(query["uploadId"], None)
        else:
            self.server.objects.pop(key, None)
        self.answer(204)

    def on_HEAD(self, key, query, body):
        have = self.server.objects.get(key)
        if not have:
            return self.answer(404)
        self.send_response(200)
        self.send_header("ETag", f'"{have[1]}"')
        self.send_header("Content-Length", str(len(have[0])))
        self.end_headers()

    def on_GET(self, key, query, body):
        if "list-type" in query or not key:
            return self.listing(query)
        have = self.server.objects.get(key)
        if not have:
            return self.error(404, "NoSuchKey")
        data, status, more = have[0], 200, {}
        if self.headers.get("Range"):
            first, last = self.headers["Range"].split("=")[1].split("-")
            last = min(int(last), len(data) - 1)
            more = {"Content_Range": f"bytes {first}-{last}/{len(data)}"}
            data, status = data[int(first):last + 1], 206
        self.answer(status, data, ETag=f'"{have[1]}"', **more)

    def listing(self, query):
        keys = sorted(k for k in self.server.objects if k.startswith(query.get("prefix", "")) and k > query.get("continuation-token", ""))
        page, cut = keys[:PAGE], len(keys) > PAGE
        text = "".join(f"<Contents><Key>{escape(k)}</Key><LastModified>{time.strftime('%Y-%m-%dT%H:%M:%S.000Z', time.gmtime(self.server.objects[k][2]))}"
                       f"</LastModified><Size>{len(self.server.objects[k][0])}</Size></Contents>" for k in page)
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if cut else ""
        self.answer(200, f"<?xml version='1.0'?><ListBucketResult><IsTruncated>{str(cut).lower()}</IsTruncated>{more}{text}</ListBucketResult>".encode())

    def log_message(self, *args):
        pass
