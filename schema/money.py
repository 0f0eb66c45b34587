"""Money as clients see it."""

import strawberry

from domain.shared import money as domain_money
from domain.shared.errors import BadUserInput
from schema.scalars import CurrencyCode, DecimalText, SafeInt


@strawberry.type(description="An amount of one currency, exact.")
class Money:
    amount: DecimalText = strawberry.field(description='In the currency\'s major unit, with all its decimals: "80.00".')
    currency_code: CurrencyCode = strawberry.field(description="ISO 4217.")
    minor_units: SafeInt = strawberry.field(description="The same in minor units (fen, cents): 8000.")

    @staticmethod
    def from_domain(money: domain_money.Money) -> "Money":
        """The domain's amount as clients see it."""
        return Money(
            amount=DecimalText(money.to_decimal_text()),
            currency_code=CurrencyCode(money.currency),
            minor_units=SafeInt(money.minor),
        )

    @staticmethod
    def of(minor: int, currency: str) -> "Money":
        """Minor units of a currency as clients see them."""
        return Money.from_domain(domain_money.Money(minor, currency))


@strawberry.input(description="An amount of one currency; finer than its minor unit is an error, never a rounding.")
class MoneyInput:
    amount: DecimalText = strawberry.field(description='In the currency\'s major unit: "80.00".')
    currency_code: CurrencyCode = strawberry.field(description="ISO 4217.")

    def to_domain(self, *, argument: str) -> domain_money.Money:
        """The domain's amount; BAD_USER_INPUT names the argument when it is none."""
        try:
            return domain_money.Money.parse(self.amount, currency=self.currency_code)
        except domain_money.MoneyError as error:
            raise BadUserInput(f"{argument}: {error}", path=argument.split(".")) from None
