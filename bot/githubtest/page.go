package githubtest

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxPage is the largest page that GitHub gives, defaultPage the one it gives unasked.
const maxPage, defaultPage = 100, 30

// pageSize returns how many items the client wants at once.
func (c *call) pageSize() int {
	n, err := strconv.Atoi(c.query("per_page"))
	if err != nil || n < 1 {
		return defaultPage
	}
	return min(n, maxPage)
}

// page cuts the page that the client asks for out of all, renders it, and links to its neighbours as GitHub does.
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

// link is one entry of a Link header: the request's own address with other values.
func (c *call) link(rel string, values url.Values) string {
	query := c.request.URL.Query()
	maps.Copy(query, values)
	return "<" + c.url + c.request.URL.EscapedPath() + "?" + query.Encode() + `>; rel="` + rel + `"`
}

// listReply answers with a page of all.
func listReply[T any](c *call, all []T, render func(T) any) (reply, error) {
	items, header := page(c, all, render)
	return reply{body: items, header: header}, nil
}
