"""How gunicorn serves the application: each value is there so that a release fails no request."""

import os

bind = "0.0.0.0:" + os.environ.get("PORT", "8080")

# Threads, because only this kind of worker keeps connections open between requests.
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = 4

# Google's load balancer keeps idle connections for 600 s. It must be the one that closes them:
# otherwise it sends a request into a connection that is just being closed, and users get a 502.
keepalive = 620

# After SIGTERM: how long requests in progress may take. The Deployment's
# terminationGracePeriodSeconds is longer than this and its preStop together.
graceful_timeout = 60

# A worker tells that it lives by a file. In memory, so that it works on a read-only file system.
worker_tmp_dir = "/dev/shm"
