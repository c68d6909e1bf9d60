namespace Dataplane.Balancing;

/// <summary>Highest random weight (Thaler, Ravishankar 1998): every backend has a number for every flow, and the highest wins. Immutable.</summary>
/// <remarks>
/// When a backend goes, its flows are spread over the others and no other moves; when a weight grows, flows move to that backend only. With weights the
/// number is -weight / ln(u) for u uniform in (0, 1) (Schindelhauer, Schomaker 2005); with equal ones u itself will do. The same in every process.
/// </remarks>
internal sealed class Rendezvous
{
    private readonly ulong[] _identities;
    private readonly double[] _weights;

    public Rendezvous(BackendRuntime[] members)
    {
        _identities = [.. members.Select(member => MaglevIdentity.Of(member.Address, member.Port))];
        _weights = members.Length == 0 || Array.TrueForAll(members, member => member.Share == members[0].Share)
            ? [] : [.. members.Select(member => (double)member.Share)];
    }

    /// <summary>The member of a flow; -1 when there is none.</summary>
    /// <param name="hash">A hash of the flow.</param>
    public int Choose(uint hash) => _weights.Length == 0 ? ChooseEqual(hash) : ChooseWeighted(hash);

    private int ChooseEqual(uint hash)
    {
        int best = -1;
        ulong most = 0;
        for (int i = 0; i < _identities.Length; i++)
        {
            ulong number = Mix(_identities[i], hash);
            if (best < 0 || number > most)
            {
                (best, most) = (i, number);
            }
        }

        return best;
    }

    private int ChooseWeighted(uint hash)
    {
        int best = -1;
        double most = double.NegativeInfinity;
        for (int i = 0; i < _identities.Length; i++)
        {
            // 53 bits, and never 0 or 1: halfway between what a double can say.
            double uniform = ((Mix(_identities[i], hash) >> 11) + 0.5) * (1.0 / (1UL << 53));
            double number = -_weights[i] / Math.Log(uniform);
            if (number > most)
            {
                (best, most) = (i, number);
            }
        }

        return best;
    }

    /// <summary>The finalizer of MurmurHash3 over both: every bit of either changes half of the bits.</summary>
    private static ulong Mix(ulong identity, uint hash)
    {
        ulong z = identity ^ (hash * 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 33)) * 0xFF51AFD7ED558CCD;
        z = (z ^ (z >> 33)) * 0xC4CEB9FE1A85EC53;
        return z ^ (z >> 33);
    }
}
