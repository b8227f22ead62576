/* xml_parse.c - libxml2's care: from text to a tree, or to what is wrong with it.
 *
 * It is told: no network, no DTD (and so no entities), not deeper than it does by default, at most 1 MiB. Elements with very many attributes do
 * not come to it: it compares each with all others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/xmlerror.h>

#include "config/xml.h"
#include "config/xml_reading.h"

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
	((struct complaint *)parser->_private)->dtd = true;
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
	if (c->dtd) {
		error_set(err, -EINVAL, "%.80s: it has a <!DOCTYPE>, which is not read; remove it",
			  file);
		return;
	}
	error_set(err, -EINVAL, "this is no well-formed XML: %s",
		  c->text[0] ? c->text : "the parser does not say why");
	if (err)
		(void)snprintf(err->where, sizeof(err->where), "%.50s:%d", file, c->line);
}

/* libxml2 takes a NUL for the end, and what follows would go unread. Texts of wide characters have them and begin with a mark of byte order, or
 * with one. */
static bool ends_at_nul(const char *text, size_t size)
{
	bool wide = size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 ||
				  memcmp(text, "\xfe\xff", 2) == 0 || !text[0] || !text[1]);

	return !wide && memchr(text, '\0', size) != NULL;
}

xmlDoc *xml_parse(const char *text, size_t size, const char *file, struct error *err)
{
	const int options =
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES;
	struct complaint c = { .text = "" };

	if (size == 0 || size > XML_FILE_MAX) {
		error_set(err, -EINVAL,
			  size ? "%.80s: a file of more than %u bytes is not read"
			       : "%.80s: the file is empty",
			  file, XML_FILE_MAX);
		return NULL;
	}
	if (ends_at_nul(text, size)) {
		error_set(err, -EINVAL, "%.80s: there is a NUL byte in it, and no XML has one",
			  file);
		return NULL;
	}
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
		if (err)
			(void)snprintf(err->where, sizeof(err->where), "%.50s:%d", file, c.line);
		rc = rc > 0 ? -EINVAL : -EIO;
	}
	return rc;
}
