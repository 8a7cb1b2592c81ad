package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config"
)

// webhookWay is how GitHub reaches what was installed: by objects of install's own if there is a
// host, else by what a person makes.
type webhookWay struct{ config.Webhook }

func (w *webhookWay) bind(f *pflag.FlagSet) {
	f.StringVar(&w.Host, "webhook-host", "",
		"on GKE: expose the webhook at this host, by an Ingress with a certificate that Google issues; default: you expose it")
	f.BoolVar(&w.Gateway, "webhook-gateway", false, "with --webhook-host: by a Gateway, with the project's certificate called turnout")
	f.StringVar(&w.Address, "webhook-address", "", "with --webhook-host: name of a reserved global address; default: one that Google chooses")
}

// check says what is wrong with the flags.
func (w *webhookWay) check(only string) error {
	switch {
	case w.Host == "" && (w.Gateway || w.Address != ""):
		return errors.New("--webhook-gateway and --webhook-address are for --webhook-host: name the host that GitHub reaches")
	case w.Host != "" && only == onlyClusterWide:
		return errors.New("--webhook-host: its objects are in namespace " + config.Namespace + ": give it with --only " + onlyNamespaced)
	}
	return nil
}

// objects are those of the way; none without a host.
func (w *webhookWay) objects() ([]*unstructured.Unstructured, error) {
	if w.Host == "" {
		return nil, nil
	}
	objects, err := w.Objects()
	if err != nil {
		return nil, fmt.Errorf("--webhook-host: %w", err)
	}
	return objects, nil
}

// known checks that the cluster has the kinds of the way, before anything is applied.
func (w *webhookWay) known(c *cluster) error {
	objects, err := w.objects()
	if err != nil {
		return err
	}
	for _, object := range objects {
		kind := object.GroupVersionKind()
		_, err := c.kube.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
		switch {
		case meta.IsNoMatchError(err) && w.Gateway:
			return fmt.Errorf("--webhook-gateway: this cluster has no kind %s.%s: GKE has it once its Gateway API is enabled (%s). "+
				"Nothing was applied", kind.Kind, kind.Group,
				v1alpha1.Shell("gcloud", "container", "clusters", "update", "CLUSTER", "--gateway-api=standard"))
		case meta.IsNoMatchError(err):
			return fmt.Errorf("--webhook-host: this cluster has no kind %s.%s, which GKE has: leave the flag out, and expose port 80 of "+
				"the Service turnout over HTTPS yourself. Nothing was applied", kind.Kind, kind.Group)
		case err != nil:
			return fmt.Errorf("looking for the kind %s: %w", kind.Kind, err)
		}
	}
	return nil
}

// next is what a person still does so that GitHub reaches Turnout.
func (w *webhookWay) next() string {
	switch {
	case w.Host == "":
		return "Expose port 80 of the Service turnout/turnout over HTTPS at a host of yours, for GitHub's webhooks.\n" +
			"     On GKE, --upgrade --webhook-host HOST does that."
	case w.Gateway:
		certificates := []string{"gcloud", "compute", "ssl-certificates"}
		create := v1alpha1.Shell(append(slices.Clone(certificates), "create", "turnout", "--global", "--domains="+w.Host)...)
		show := v1alpha1.Shell(append(certificates, "describe", "turnout", "--global", "--format=value(managed.status)")...)
		return "Create the certificate, and let " + w.Host + " lead to the address that the second command shows:\n" +
			"       " + string(create) + "\n" +
			"       kubectl -n turnout get gateway turnout\n" +
			"     Google issues the certificate after that; within an hour this shows ACTIVE:\n" +
			"       " + string(show)
	}
	return "Let " + w.Host + " lead to the address that this shows after some minutes:\n" +
		"       kubectl -n turnout get ingress turnout\n" +
		"     Google issues the certificate after that; within an hour this shows Active:\n" +
		"       kubectl -n turnout get managedcertificate turnout"
}

// removeWebhook removes what --webhook-host made, whatever its host; what a person made there under the
// same name has no label of install, and stays.
func (c *cluster) removeWebhook(ctx context.Context, out io.Writer) error {
	for _, gateway := range []bool{false, true} {
		objects, err := config.Webhook{Host: "any.host", Gateway: gateway}.Objects()
		if err != nil {
			return err
		}
		for _, object := range slices.Backward(objects) {
			found := object.DeepCopy()
			err := c.kube.Get(ctx, client.ObjectKeyFromObject(object), found)
			switch {
			case apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || err == nil && found.GetLabels()[installed] != config.Name:
				continue
			case err != nil:
				return fmt.Errorf("looking for %s: %w", nameOf(object), err)
			}
			if err := c.remove(ctx, object, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// installed is the label of every object that install applies.
const installed = "app.kubernetes.io/name"
