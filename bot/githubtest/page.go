package githubtest

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxPage is GitHub's largest page, defaultPage its default.
const maxPage, defaultPage = 100, 30

// pageSize returns the number of items per page that the client wants.
func (c *call) pageSize() int {
	n, err := strconv.Atoi(c.query("per_page"))
	if err != nil || n < 1 {
		return defaultPage
	}
	return min(n, maxPage)
}

// page returns the requested page of all, rendered, with links to its neighbours like
// GitHub's.
func page[T any](c *call, all []T, render func(T) any) (items []any, header http.Header) {
	size := c.pageSize()
	number, err := strconv.Atoi(c.query("page"))
	if err != nil || number < 1 {
		number = 1
	}
	last := max(1, (len(all)+size-1)/size)
	start := min((number-1)*size, len(all))
	items = []any{}
	for _, item := range all[start:min(start+size, len(all))] {
		items = append(items, render(item))
	}
	var links []string
	link := func(rel string, to int) {
		links = append(links, c.link(rel, url.Values{"page": {strconv.Itoa(to)}}))
	}
	if number > 1 {
		link("prev", number-1)
		link("first", 1)
	}
	if number < last {
		link("next", number+1)
		link("last", last)
	}
	if links == nil {
		return items, nil
	}
	return items, http.Header{"Link": {strings.Join(links, ", ")}}
}

// link is one entry of a Link header: the request's address with other values.
func (c *call) link(rel string, values url.Values) string {
	query := c.request.URL.Query()
	maps.Copy(query, values)
	return "<" + c.url + c.request.URL.EscapedPath() + "?" + query.Encode() + `>; rel="` + rel + `"`
}

// listReply answers with the requested page of all.
func listReply[T any](c *call, all []T, render func(T) any) (reply, error) {
	items, header := page(c, all, render)
	return reply{body: items, header: header}, nil
}
