/* xml_parse.c - libxml2's care: from text to a tree, or to what is wrong with it.
 *
 * It is told: no network, no DTD (and so no entities), not deeper than it does by default, at most 1 MiB. Elements with very many attributes do
 * not come to it: it compares each with all others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/xmlerror.h>

#include "config/xml.h"
#include "config/xml_reading.h"

#define ATTRIBUTES_MAX 256 /* of one element; libvirt's have at most some 30 */

/* Of a parser: what it said first, which is the cause of all else, and whether there is a DTD. */
struct complaint {
	char text[200];
	int line;
	bool dtd;
};

static void keep_first(struct complaint *c, const xmlError *e)
{
	if (c->text[0])
		return;
	(void)str_copy(c->text, sizeof(c->text), e->message ? e->message : "?");
	c->text[strcspn(c->text, "\r\n")] = '\0';
	c->line = MAX(e->line, 0);
}

static void hear_parser(void *context, xmlError *e)
{
	keep_first(((xmlParserCtxt *)context)->_private, e);
}

static void hear_schema(void *context, xmlError *e)
{
	keep_first(context, e);
}

static void refuse_dtd(void *context, const xmlChar *name, const xmlChar *external,
		       const xmlChar *system)
{
	xmlParserCtxt *parser = context;

	(void)name;
	(void)external;
	(void)system;
	struct complaint *c = parser->_private;
	c->dtd = true;
	c->line = MAX(xmlSAX2GetLineNumber(parser), 0);
	xmlStopParser(parser);
}

static xmlParserInput *refuse_entity(const char *url, const char *id, xmlParserCtxt *parser)
{
	(void)url;
	(void)id;
	(void)parser;
	return NULL;
}

static void say_nothing(void *context, const char *format, ...)
{
	(void)context;
	(void)format;
}

static void prepare_library(void)
{
	xmlInitParser();
	xmlSetExternalEntityLoader(refuse_entity);
	xmlSetGenericErrorFunc(NULL, say_nothing);
}

static void parse_failed(const char *file, const struct complaint *c, struct error *err)
{
	if (c->dtd)
		error_set(err, -EINVAL, "there is a <!DOCTYPE>, which is not read; remove it");
	else
		error_set(err, -EINVAL, "this is no well-formed XML: %s",
			  c->text[0] ? c->text : "the parser does not say why");
	error_place(err, file, (unsigned)c->line);
}

/* libxml2 takes a NUL for the end, and what follows would go unread. Texts of wide characters have them and begin with a mark of byte order, or
 * with one. */
static bool ends_at_nul(const char *text, size_t size)
{
	bool wide = size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 ||
				  memcmp(text, "\xfe\xff", 2) == 0 || !text[0] || !text[1]);

	return !wide && memchr(text, '\0', size) != NULL;
}

/* --- attributes ---------------------------------------------------------------------------------------------------- */

/* Where a text is, as far as counting goes. libxml2 judges whether it is XML. */
struct scan {
	enum { OUTSIDE, IN_TAG, IN_VALUE, IN_COMMENT } state;
	unsigned quote, attributes, line;
	unsigned last[2]; /* the two characters before */
};

/* False: one more attribute than is read. */
static bool scan_one(struct scan *s, unsigned c)
{
	switch (s->state) {
	case OUTSIDE:
		if (c == '<') {
			s->state = IN_TAG;
			s->attributes = 0;
		}
		break;
	case IN_TAG:
		if (c == '-' && s->last[0] == '!' && s->last[1] == '<')
			s->state = IN_COMMENT;
		else if (c == '>')
			s->state = OUTSIDE;
		else if (c == '"' || c == '\'') {
			s->state = IN_VALUE;
			s->quote = c;
		} else if (c == '=')
			s->attributes++;
		break;
	case IN_VALUE:
		if (c == s->quote)
			s->state = IN_TAG;
		break;
	case IN_COMMENT:
		if (c == '>' && s->last[0] == '-' && s->last[1] == '-')
			s->state = OUTSIDE;
		break;
	}
	s->line += c == '\n';
	s->last[1] = s->last[0];
	s->last[0] = c;
	return s->attributes <= ATTRIBUTES_MAX;
}

/* UTF-16, with a mark of byte order or with a first letter of ASCII: the byte that comes first of two. 0 = other encodings. */
static unsigned wide_order(const unsigned char *text, size_t size)
{
	if (size < 2)
		return 0;
	if ((text[0] == 0xff && text[1] == 0xfe) || (text[0] && !text[1]))
		return 1;
	return (text[0] == 0xfe && text[1] == 0xff) || (!text[0] && text[1]) ? 2 : 0;
}

/* libxml2 compares each attribute of an element with all others: 50,000 of them take it ten seconds. */
static bool has_few_attributes(const char *text, size_t size, unsigned *line)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned order = wide_order(at, size);
	struct scan s = { .line = 1 };

	for (size_t i = 0; i + (order != 0) < size; i += order ? 2 : 1) {
		unsigned c = at[i];

		if (order)
			c = order == 1 ? c | (unsigned)at[i + 1] << 8 : c << 8 | at[i + 1];
		if (!scan_one(&s, c)) {
			*line = s.line;
			return false;
		}
	}
	return true;
}

static bool is_readable(const char *text, size_t size, const char *file, struct error *err)
{
	unsigned line = 0;

	if (size == 0 || size > XML_FILE_MAX) {
		error_set(err, -EINVAL,
			  size ? "%.80s: a file of more than %u bytes is not read"
			       : "%.80s: the file is empty",
			  file, XML_FILE_MAX);
		return false;
	}
	if (ends_at_nul(text, size)) {
		error_set(err, -EINVAL, "%.80s: there is a NUL byte in it, and no XML has one",
			  file);
		return false;
	}
	if (has_few_attributes(text, size, &line))
		return true;
	error_set(err, -EINVAL, "an element with more than %d attributes is not read",
		  ATTRIBUTES_MAX);
	error_place(err, file, line);
	return false;
}

/* --- documents ----------------------------------------------------------------------------------------------------- */

xmlDoc *xml_parse(const char *text, size_t size, const char *file, struct error *err)
{
	const int options =
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES;
	struct complaint c = { .text = "" };

	if (!is_readable(text, size, file, err))
		return NULL;
	prepare_library();
	xmlParserCtxt *parser = xmlNewParserCtxt();
	if (!parser) {
		error_set(err, -ENOMEM, "%.80s: out of memory", file);
		return NULL;
	}
	parser->_private = &c;
	parser->sax->serror = hear_parser;
	parser->sax->internalSubset = refuse_dtd;
	xmlDoc *doc = xmlCtxtReadMemory(parser, text, (int)size, NULL, NULL, options);
	if (doc && (c.dtd || !parser->wellFormed || !parser->nsWellFormed)) {
		xmlFreeDoc(doc);
		doc = NULL;
	}
	if (!doc)
		parse_failed(file, &c, err);
	xmlFreeParserCtxt(parser);
	return doc;
}

int xml_read_text(const char *text, size_t size, const char *file, struct interface_list *list,
		  struct network_list *networks, struct error *err)
{
	struct xml_reading r = { .file = file, .list = list, .networks = networks, .err = err };
	xmlDoc *doc = xml_parse(text, size, file, err);

	if (!doc)
		return -EINVAL;
	int rc = xml_read_document(&r, doc);
	xmlFreeDoc(doc);
	return rc;
}

int xml_validate_text(const char *text, size_t size, const char *file, const char *schema,
		      size_t schema_size, struct error *err)
{
	struct complaint c = { .text = "" };
	int rc = -EIO;

	xmlDoc *doc = xml_parse(text, size, file, err);
	if (!doc)
		return -EINVAL;
	xmlSetStructuredErrorFunc(&c, hear_schema);
	xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewMemParserCtxt(schema, (int)schema_size);
	xmlRelaxNG *rules = parser ? xmlRelaxNGParse(parser) : NULL;
	xmlRelaxNGValidCtxt *valid = rules ? xmlRelaxNGNewValidCtxt(rules) : NULL;
	if (valid)
		rc = xmlRelaxNGValidateDoc(valid, doc);
	if (rc != 0) {
		error_set(err, rc > 0 ? -EINVAL : -EIO, "%s: %s",
			  valid ? "the schema does not allow it" : "the schema cannot be read",
			  c.text);
		error_place(err, file, (unsigned)c.line);
		rc = rc > 0 ? -EINVAL : -EIO;
	}
	return rc;
}
