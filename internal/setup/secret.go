package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/config"
)

// ErrRegistered says that there is an App already. Whoever gets it must not store another one.
var ErrRegistered = errors.New("a GitHub App is registered already")

// App is what Turnout needs to act as its GitHub App.
type App struct {
	ID         int64
	PrivateKey []byte
	// WebhookSecret is one secret a line.
	WebhookSecret []byte
}

// Secret is the Secret that keeps the App, and before that the token of the setup page.
type Secret struct {
	Client    client.Client
	Namespace string
}

// kept is what a Secret has.
type kept struct {
	app     *App   // nil if there is none
	token   string // of the setup page; empty if there is none
	version string // of the object
}

// read reads the Secret; one that does not exist has nothing.
func (s *Secret) read(ctx context.Context) (kept, error) {
	secret := &corev1.Secret{}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: config.SecretName}, secret)
	if apierrors.IsNotFound(err) {
		return kept{}, nil
	}
	if err != nil {
		return kept{}, fmt.Errorf("reading secret %s/%s: %w", s.Namespace, config.SecretName, err)
	}
	app, err := appIn(secret.Data)
	return kept{app: app, token: string(secret.Data[config.SecretSetupToken]), version: secret.ResourceVersion}, err
}

// appIn is the App in a Secret's data. One that has only a part of it is an error: nobody may
// overwrite what somebody else began.
func appIn(data map[string][]byte) (*App, error) {
	id, key, secret := data[config.SecretAppID], data[config.SecretPrivateKey], data[config.SecretWebhookSecret]
	if len(id)+len(key)+len(secret) == 0 {
		return nil, nil
	}
	number, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil || number <= 0 || len(key) == 0 || len(secret) == 0 {
		return nil, fmt.Errorf("secret %s has a part of a GitHub App: complete its keys %s, %s and %s, or remove them",
			config.SecretName, config.SecretAppID, config.SecretPrivateKey, config.SecretWebhookSecret)
	}
	return &App{ID: number, PrivateKey: key, WebhookSecret: secret}, nil
}

// store stores the App and removes the token, if the Secret is still as it was read. If it is
// not, the error is [ErrRegistered] if somebody else has stored an App.
func (s *Secret) store(ctx context.Context, before kept, app App) error {
	if before.app != nil {
		return ErrRegistered
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": before.version},
		"data": map[string]any{
			config.SecretAppID:         []byte(strconv.FormatInt(app.ID, 10)),
			config.SecretPrivateKey:    app.PrivateKey,
			config.SecretWebhookSecret: app.WebhookSecret,
			config.SecretSetupToken:    nil,
		},
	})
	if err != nil {
		return fmt.Errorf("storing the App: %w", err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: config.SecretName}}
	err = s.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch))
	if err == nil {
		return nil
	}
	if now, readErr := s.read(ctx); readErr == nil && now.app != nil && now.app.ID != app.ID {
		return ErrRegistered
	} else if readErr == nil && now.app != nil {
		return nil // it was stored, and only the answer was lost
	}
	return fmt.Errorf("storing the App in secret %s/%s: %w", s.Namespace, config.SecretName, err)
}

// Issue makes sure that the Secret has a token if it has no App, and returns the token; empty
// if there is an App. [config.SecretName] is made if it does not exist.
func (s *Secret) Issue(ctx context.Context) (string, error) {
	now, err := s.read(ctx)
	if err != nil || now.app != nil || now.token != "" {
		return now.token, err
	}
	token := newToken()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: config.SecretName},
		Data:       map[string][]byte{config.SecretSetupToken: []byte(token)},
	}
	if now.version == "" {
		err = s.Client.Create(ctx, secret)
	} else {
		var patch []byte
		patch, err = json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": now.version}, "data": secret.Data})
		if err == nil {
			err = s.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch))
		}
	}
	if err != nil {
		return "", fmt.Errorf("writing the token of the setup page into secret %s/%s: %w", s.Namespace, config.SecretName, err)
	}
	return token, nil
}
