"""Every message that crosses a mailbox, grouped by its receiver.

Commands are imperative and carry `reply_to` and `ticket`; replies are past tense and carry the
same `ticket`.  Tickets: a run's id for what concerns the run, an attempt's id (`<run>.<n>`) for
what concerns one attempt at a model call, otherwise a counter of the asker's.

Conversations, parameters, schemas and results travel as JSON in `bytes`: encoded once, spliced
into a vendor's body at the end, never looked into on the way.  Times are seconds; deadlines are
on the monotonic clock of :meth:`Context.now`; money is an integer number of nano-USD; sizes are
tokens.

General layout: `values`, then a file for each receiver, which ends with the union it receives.
"""

from actors.protocol.cost_ledger import Account as Account
from actors.protocol.cost_ledger import AccountsListed as AccountsListed
from actors.protocol.cost_ledger import Admit as Admit
from actors.protocol.cost_ledger import Admitted as Admitted
from actors.protocol.cost_ledger import EndRun as EndRun
from actors.protocol.cost_ledger import GetAccounts as GetAccounts
from actors.protocol.cost_ledger import ReconfigureLedger as ReconfigureLedger
from actors.protocol.cost_ledger import Record as Record
from actors.protocol.cost_ledger import Refused as Refused
from actors.protocol.cost_ledger import Release as Release
from actors.protocol.cost_ledger import Reserve as Reserve
from actors.protocol.cost_ledger import Reserved as Reserved
from actors.protocol.cost_ledger import RunEnded as RunEnded
from actors.protocol.cost_ledger import Settle as Settle
from actors.protocol.judge import Ballot as Ballot
from actors.protocol.judge import BallotBuilt as BallotBuilt
from actors.protocol.judge import BuildBallot as BuildBallot
from actors.protocol.judge import JudgeMessage as JudgeMessage
from actors.protocol.judge import Reading as Reading
from actors.protocol.judge import ReadVerdict as ReadVerdict
from actors.protocol.judge import RepairVerdict as RepairVerdict
from actors.protocol.judge import Verdict as Verdict
from actors.protocol.judge import VerdictUnreadable as VerdictUnreadable
from actors.protocol.orchestrator import Begin as Begin
from actors.protocol.orchestrator import CallFailed as CallFailed
from actors.protocol.orchestrator import CallSent as CallSent
from actors.protocol.orchestrator import Cancel as Cancel
from actors.protocol.orchestrator import Completed as Completed
from actors.protocol.orchestrator import Failed as Failed
from actors.protocol.orchestrator import Finished as Finished
from actors.protocol.orchestrator import GetStatus as GetStatus
from actors.protocol.orchestrator import OrchestratorMessage as OrchestratorMessage
from actors.protocol.orchestrator import Park as Park
from actors.protocol.orchestrator import RunStatus as RunStatus
from actors.protocol.orchestrator import Validate as Validate
from actors.protocol.orchestrator import Validated as Validated
from actors.protocol.provider_pool import AskAfter as AskAfter
from actors.protocol.provider_pool import CallAnswered as CallAnswered
from actors.protocol.provider_pool import CallErrored as CallErrored
from actors.protocol.provider_pool import CallVendor as CallVendor
from actors.protocol.provider_pool import CancelCall as CancelCall
from actors.protocol.provider_pool import Complete as Complete
from actors.protocol.provider_pool import DialectCrashed as DialectCrashed
from actors.protocol.provider_pool import GetPoolStatus as GetPoolStatus
from actors.protocol.provider_pool import PoolMessage as PoolMessage
from actors.protocol.provider_pool import PoolStatus as PoolStatus
from actors.protocol.provider_pool import PoolTick as PoolTick
from actors.protocol.provider_pool import ReconfigurePool as ReconfigurePool
from actors.protocol.provider_pool import VendorSettings as VendorSettings
from actors.protocol.router import HealthChanged as HealthChanged
from actors.protocol.router import ListModels as ListModels
from actors.protocol.router import ModelHealth as ModelHealth
from actors.protocol.router import ModelsListed as ModelsListed
from actors.protocol.router import ModelState as ModelState
from actors.protocol.router import ReconfigureRouter as ReconfigureRouter
from actors.protocol.router import RouterMessage as RouterMessage
from actors.protocol.router import Selected as Selected
from actors.protocol.router import SelectModels as SelectModels
from actors.protocol.storage import AttemptReleased as AttemptReleased
from actors.protocol.storage import AttemptReserved as AttemptReserved
from actors.protocol.storage import AttemptSettled as AttemptSettled
from actors.protocol.storage import BooksLoaded as BooksLoaded
from actors.protocol.storage import Commit as Commit
from actors.protocol.storage import CommitFailed as CommitFailed
from actors.protocol.storage import Committed as Committed
from actors.protocol.storage import LeaseReturned as LeaseReturned
from actors.protocol.storage import LeaseTaken as LeaseTaken
from actors.protocol.storage import LedgerMessage as LedgerMessage
from actors.protocol.storage import LoadBooks as LoadBooks
from actors.protocol.storage import RunBegan as RunBegan
from actors.protocol.storage import RunClosed as RunClosed
from actors.protocol.storage import StepsTaken as StepsTaken
from actors.protocol.storage import StorageMessage as StorageMessage
from actors.protocol.storage import Write as Write
from actors.protocol.values import Answer as Answer
from actors.protocol.values import CallErrorKind as CallErrorKind
from actors.protocol.values import CallRecord as CallRecord
from actors.protocol.values import Candidate as Candidate
from actors.protocol.values import JudgeVerdict as JudgeVerdict
from actors.protocol.values import Mode as Mode
from actors.protocol.values import Order as Order
from actors.protocol.values import Profile as Profile
from actors.protocol.values import Refusal as Refusal
from actors.protocol.values import RefusalCode as RefusalCode
from actors.protocol.values import Role as Role
from actors.protocol.values import RunCost as RunCost
from actors.protocol.values import SecondLook as SecondLook
from actors.protocol.values import Step as Step
