# syntax=docker/dockerfile:1
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api api
COPY bot bot
COPY cmd cmd
COPY deployer deployer
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /turnout ./cmd/turnout

FROM gcr.io/distroless/static:nonroot
COPY --from=build /turnout /turnout
# By its number: the kubelet cannot tell that a name is not root (runAsNonRoot).
USER 65532
ENTRYPOINT ["/turnout"]
CMD ["serve"]
