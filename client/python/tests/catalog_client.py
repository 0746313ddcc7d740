# SPDX-License-Identifier: Apache-2.0
"""Checks a catalogue as portals do: catalog_client.py CATALOG [SHAPES…]. Prints whether it conforms, and the report.

test_catalog.py runs it in an environment that has nothing of this project, but pyshacl from PyPI. SHAPES are files of shapes, such
as those that SEMIC publishes. Without them, the shapes are the mandatory properties of DCAT-AP 3.0, with the kinds of their values,
and those of an offer in ODRL 2.2. No vocabulary is loaded, so the catalogue itself has to say what each thing is. What is only
recommended is a warning, and does not count."""

import json
import sys

import pyshacl
import rdflib

SHAPES = """
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix : <urn:shapes:> .

:Catalog a sh:NodeShape ; sh:targetClass dcat:Catalog ; sh:property
    [ sh:path dct:title ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:description ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ] ,
    [ sh:path dcat:dataset ; sh:class dcat:Dataset ] .

:Dataset a sh:NodeShape ; sh:targetClass dcat:Dataset ; sh:nodeKind sh:IRI ; sh:property
    [ sh:path dct:title ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:description ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:identifier ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:accessRights ; sh:maxCount 1 ; sh:class dct:RightsStatement ] ,
    [ sh:path dct:publisher ; sh:maxCount 1 ; sh:class foaf:Agent ] ,
    [ sh:path dcat:keyword ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:modified ; sh:maxCount 1 ; sh:datatype xsd:date ] ,
    [ sh:path dcat:distribution ; sh:class dcat:Distribution ] ,
    [ sh:path odrl:hasPolicy ; sh:class odrl:Policy ] .

:Distribution a sh:NodeShape ; sh:targetClass dcat:Distribution ; sh:property
    [ sh:path dcat:accessURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dct:title ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:license ; sh:maxCount 1 ; sh:class dct:LicenseDocument ] ,
    [ sh:path dcat:mediaType ; sh:maxCount 1 ; sh:class dct:MediaType ] ,
    [ sh:path odrl:hasPolicy ; sh:maxCount 1 ; sh:class odrl:Policy ] .

:Agent a sh:NodeShape ; sh:targetClass foaf:Agent ;
    sh:property [ sh:path foaf:name ; sh:minCount 1 ; sh:nodeKind sh:Literal ] .

:Concept a sh:NodeShape ; sh:targetClass skos:Concept ;
    sh:property [ sh:path skos:prefLabel ; sh:minCount 1 ; sh:nodeKind sh:Literal ] .

:Offer a sh:NodeShape ; sh:targetClass odrl:Offer ; sh:nodeKind sh:IRI ; sh:property
    [ sh:path odrl:uid ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path odrl:profile ; sh:nodeKind sh:IRI ] ,
    [ sh:path odrl:permission ; sh:minCount 1 ; sh:node :Permission ] .

:Permission a sh:NodeShape ; sh:property
    [ sh:path odrl:target ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path odrl:assigner ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path odrl:action ; sh:minCount 1 ; sh:maxCount 1 ; sh:hasValue odrl:use ] ,
    [ sh:path odrl:constraint ; sh:class odrl:Constraint ] ,
    [ sh:path odrl:duty ; sh:maxCount 1 ; sh:property
        [ sh:path ( odrl:action rdf:value ) ; sh:minCount 1 ; sh:hasValue odrl:compensate ] ] .

:Constraint a sh:NodeShape ; sh:targetClass odrl:Constraint ; sh:property
    [ sh:path odrl:leftOperand ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path odrl:operator ; sh:minCount 1 ; sh:maxCount 1 ;
      sh:in ( odrl:eq odrl:lteq odrl:gteq odrl:isAnyOf ) ] ,
    [ sh:path odrl:rightOperand ; sh:minCount 1 ] .
"""

graph = rdflib.Graph().parse(sys.argv[1], format="json-ld")
shapes = rdflib.Graph()
for path in sys.argv[2:]:
    shapes.parse(path, format="turtle")
if not sys.argv[2:]:
    shapes.parse(data=SHAPES, format="turtle")
conforms, _, report = pyshacl.validate(graph, shacl_graph=shapes, allow_warnings=True)
DCAT, ODRL = rdflib.Namespace("http://www.w3.org/ns/dcat#"), rdflib.Namespace("http://www.w3.org/ns/odrl/2/")


def count(kind: rdflib.URIRef) -> int:
    """Returns how many things are of this kind."""
    return len(set(graph.subjects(rdflib.RDF.type, kind)))


print(json.dumps({"conforms": conforms, "report": report, "datasets": count(DCAT.Dataset), "offers": count(ODRL.Offer)}))
