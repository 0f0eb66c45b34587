"""The interface of everything that has a global id."""

import strawberry


@strawberry.interface(description="Anything with a global id: `node(id:)` finds it.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque and global.")
