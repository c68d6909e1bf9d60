using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Dataplane.Packets;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <summary>The counters of one worker: written by it once per batch, read consistently by any thread.</summary>
/// <remarks>
/// A sequence lock: the sequence is odd while the worker writes. The reader copies and tries again when the sequence was odd or
/// has changed, so what it returns satisfies the accounting invariant at every moment. The worker never waits.
/// </remarks>
internal sealed class WorkerCounters
{
    private readonly long[] _dropped = new long[DropReasonNames.Count];
    private long _sequence;
    private long _received;
    private long _originated;
    private long _transmitted;
    private long _held;

    // Packets counted as transmitted that were not, by reason; and their sum.
    private readonly long[] _owed = new long[DropReasonNames.Count];
    private long _owes;

    /// <summary>Counts what became of a batch.</summary>
    /// <param name="batch">A batch of which every packet is decided.</param>
    /// <param name="received">How many of it the ports handed over.</param>
    /// <param name="originated">How many of it the engine made.</param>
    /// <param name="released">How many of it, and of those joined, had been held.</param>
    /// <param name="joined">How many beside it were joined with packets of it; they are among those received, originated or released.</param>
    public void CountBatch(PacketBatch batch, int received, int originated, int released, int joined = 0)
    {
        Begin();
        _dropped[(int)DropReason.ConsumedJoined] += joined;
        ReadOnlySpan<Verdict> verdicts = batch.Verdicts[..batch.Count];
        int transmitted = 0, held = 0;
        if (!MemoryMarshal.AsBytes(verdicts).ContainsAnyExcept((byte)Verdict.Transmit))
        {
            transmitted = verdicts.Length;
            verdicts = default;
        }

        for (int i = 0; i < verdicts.Length; i++)
        {
            switch (verdicts[i])
            {
                case Verdict.Transmit:
                    transmitted++;
                    break;
                case Verdict.Hold:
                    held++;
                    break;
                default:
                    _dropped[(int)batch.Reasons[i]]++;
                    break;
            }
        }

        _received += received;
        _originated += originated;
        _transmitted += _owes == 0 ? transmitted : transmitted - Settle(transmitted);
        _held += held - released;
        End();
    }

    /// <summary>Counts packets as dropped that have been counted as transmitted.</summary>
    /// <param name="count">How many.</param>
    /// <param name="reason">Why they did not leave.</param>
    /// <remarks>No counter ever goes back, except at the end: whoever watches them would take it for a restart. So they take the place of the next that are transmitted.</remarks>
    public void CountWithdrawn(int count, DropReason reason)
    {
        _owed[(int)reason] += count;
        _owes += count;
    }

    /// <summary>Counts what is left of them. Once nothing more will be transmitted.</summary>
    public void SettleWithdrawn()
    {
        Begin();
        _transmitted -= Settle(_owes);
        End();
    }

    /// <summary>Counts packets that are owed as dropped, as many as there is room for.</summary>
    private long Settle(long room)
    {
        long settled = 0;
        for (int reason = 0; reason < _owed.Length; reason++)
        {
            long part = Math.Min(_owed[reason], room - settled);
            _owed[reason] -= part;
            _dropped[reason] += part;
            settled += part;
        }

        _owes -= settled;
        return settled;
    }

    /// <summary>Counts packets that were received and sent without the worker, by a program of the kernel.</summary>
    public void CountOffloaded(long packets)
    {
        Begin();
        _received += packets;
        _transmitted += packets;
        End();
    }

    /// <summary>Counts a packet that came into being when another was taken apart, and is dropped at once.</summary>
    public void CountOriginatedDropped(DropReason reason)
    {
        Begin();
        _originated++;
        _dropped[(int)reason]++;
        End();
    }

    /// <summary>Counts a held packet that is given up.</summary>
    public void CountHeldDropped(DropReason reason)
    {
        Begin();
        _held--;
        _dropped[(int)reason]++;
        End();
    }

    /// <summary>Packets dropped for one reason; for the worker itself.</summary>
    public long DroppedFor(DropReason reason) => _dropped[(int)reason];

    /// <summary>Changes with every count; odd while one is being made. Any thread.</summary>
    public long Sequence => Volatile.Read(ref _sequence);

    /// <summary>Reads all counters at one moment. Any thread.</summary>
    public Accounting Read()
    {
        long[] dropped = new long[_dropped.Length];
        var spinner = default(SpinWait);
        while (true)
        {
            long before = Volatile.Read(ref _sequence);
            if ((before & 1) == 0)
            {
                long received = _received, originated = _originated, transmitted = _transmitted, held = _held;
                _dropped.AsSpan().CopyTo(dropped);
                Interlocked.MemoryBarrier();
                if (Volatile.Read(ref _sequence) == before)
                {
                    return new Accounting(received, originated, transmitted, held, ImmutableArray.Create(dropped));
                }
            }

            spinner.SpinOnce();
        }
    }

    private void Begin()
    {
        // The write of the sequence must be seen before the counters change: a full fence once per batch.
        Volatile.Write(ref _sequence, _sequence + 1);
        Interlocked.MemoryBarrier();
    }

    private void End() => Volatile.Write(ref _sequence, _sequence + 1);
}
