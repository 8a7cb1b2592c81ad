// Command whoami answers what a container sees of itself: the program of an image without any other file.
package main

import (
	"encoding/json"
	"net/http"
	"os"
	"time"
)

func main() {
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(look)}
	if err := server.ListenAndServe(); err != nil {
		panic(err)
	}
}

func look(w http.ResponseWriter, _ *http.Request) {
	seen := map[string]any{"uid": os.Getuid(), "gid": os.Getgid(), "server": os.Getenv("KUBERNETES_SERVICE_HOST")}
	var names []string
	entries, _ := os.ReadDir("/") // an unreadable root has no names
	for _, e := range entries {
		names = append(names, e.Name())
	}
	seen["root"] = names
	for name, path := range map[string]string{
		"secret": "/etc/given/key", "token": "/var/run/secrets/kubernetes.io/serviceaccount/token", "hosts": "/etc/hosts",
	} {
		text, _ := os.ReadFile(path)
		seen[name] = string(text)
	}
	if err := os.WriteFile("/written", nil, 0o600); err != nil {
		seen["write"] = err.Error()
	}
	_ = json.NewEncoder(w).Encode(seen) // the reader may be gone
}
