package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// owner is who a container's processes run as, as its pod and its image say.
type owner struct {
	uid, gid int64
	readOnly bool // its root file system
}

// ownerOf reads it from the container's and the pod's security contexts and from the image. The
// errors are the kubelet's (kuberuntime/security_context.go, verifyRunAsNonRoot).
func ownerOf(pod *corev1.Pod, c *corev1.Container, imageUser string) (owner, error) {
	var o owner
	nonRoot, known := false, false
	user, group, _ := strings.Cut(imageUser, ":")
	if id, err := strconv.ParseInt(user, 10, 64); err == nil {
		o.uid, known = id, true
	}
	if id, err := strconv.ParseInt(group, 10, 64); err == nil {
		o.gid = id
	}
	if s := pod.Spec.SecurityContext; s != nil {
		known = known || s.RunAsUser != nil
		override(&o.uid, s.RunAsUser)
		override(&o.gid, s.RunAsGroup)
		override(&nonRoot, s.RunAsNonRoot)
	}
	if s := c.SecurityContext; s != nil {
		known = known || s.RunAsUser != nil
		override(&o.uid, s.RunAsUser)
		override(&o.gid, s.RunAsGroup)
		override(&nonRoot, s.RunAsNonRoot)
		override(&o.readOnly, s.ReadOnlyRootFilesystem)
	}
	switch {
	case !nonRoot, known && o.uid != 0:
		return o, nil
	case user != "" && !known:
		return o, fmt.Errorf("container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root", user)
	}
	return o, errors.New("container has runAsNonRoot and image will run as root")
}

func override[T any](value *T, by *T) {
	if by != nil {
		*value = *by
	}
}

// enterRoot makes a directory the root of a command, in a mount namespace of its own, and changes
// to the user: in a user namespace that maps it to the sandbox's, since the sandbox has no other
// users. So whoever the command is, it has no capabilities unless it is 0.
const enterRoot = `set -e
mount=$1 unshare=$2 root=$3 uid=$4 gid=$5 dir=$6 access=$7
shift 7
"$mount" --bind "$root" "$root"
"$mount" -o "remount,bind,$access" "$root"
"$mount" --rbind /proc "$root/proc"
"$mount" --rbind /dev "$root/dev"
exec "$unshare" --user --map-user="$uid" --map-group="$gid" --root="$root" --wd="$dir" -- "$@"
`

// command makes a command that sees the files of a root alone, as this owner.
func (o owner) command(root, dir string, env, line []string) (*exec.Cmd, error) {
	tools := map[string]string{"sh": "", "mount": "", "unshare": ""}
	for name := range tools {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("a container with a root of its own needs %s (Debian: util-linux): %w", name, err)
		}
		tools[name] = path
	}
	if strings.HasPrefix(line[0], "/") {
		if _, err := os.Stat(filepath.Join(root, line[0])); err != nil {
			return nil, fmt.Errorf("exec: %q: no such file in the image", line[0])
		}
	}
	access := "rw"
	if o.readOnly {
		access = "ro"
	}
	args := []string{
		tools["unshare"], "--mount", "--", tools["sh"], "-c", enterRoot, "sh", tools["mount"], tools["unshare"], root,
		strconv.FormatInt(o.uid, 10), strconv.FormatInt(o.gid, 10), filepath.Join("/", dir), access,
	}
	return &exec.Cmd{Path: tools["unshare"], Args: slices.Concat(args, line), Env: env}, nil
}
