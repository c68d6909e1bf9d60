using Dataplane.Bridging;
using Dataplane.Tests.Pipeline;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Bridging.Frames;

namespace Dataplane.Tests.Bridging;

/// <summary>Any frames by any ports, with time between them: they leave as a bridge of a dictionary and a few lines would have it.</summary>
public sealed class LearningModelTests
{
    private const int AgeingSeconds = 10, Limit = 3;

    private sealed record Sent(string Port, ulong Target, ulong Source, int Vlan, int Seconds);

    /// <summary>The oracle.</summary>
    private sealed class Model(IReadOnlyList<BridgePortSpec> ports)
    {
        private readonly Dictionary<(ulong Mac, int Vlan), (string Port, int Seen)> _known = [];
        private int _now;

        public string Expect(Sent sent)
        {
            _now += sent.Seconds;
            foreach ((ulong, int) old in _known.Where(entry => _now - entry.Value.Seen > AgeingSeconds).Select(entry => entry.Key).ToList())
            {
                _known.Remove(old);
            }

            if (sent.Source == 0 || (sent.Source >> 40 & 1) != 0 || sent.Target >> 4 == 0x0180_C200_000)
            {
                return "";
            }

            int vlan = Math.Max(0, sent.Vlan);
            if (_known.ContainsKey((sent.Source, vlan)) || _known.Values.Count(each => each.Port == sent.Port) < Limit)
            {
                _known[(sent.Source, vlan)] = (sent.Port, _now);
            }

            IEnumerable<string> reached = ports.Where(port => Reaches(ports.First(each => each.Port == sent.Port), port)).Select(port => port.Port);
            bool isKnown = _known.TryGetValue((sent.Target, vlan), out (string Port, int Seen) where) && (sent.Target >> 40 & 1) == 0;
            return string.Join(' ', reached.Where(port => !isKnown || port == where.Port).Order(StringComparer.Ordinal));
        }

        private static bool Reaches(BridgePortSpec one, BridgePortSpec other) =>
            one.Port != other.Port && !(one.Isolate && other.Isolate) && (one.Horizon == "" || one.Horizon != other.Horizon);
    }

    [Fact]
    public void AnyFrames_LeaveAsTheModelSays()
    {
        ulong[] addresses = [.. Enumerable.Range(1, 7).Select(Host), Everybody, Group, 0, 0x0180_C200_0002];
        Gen<Sent> frames =
            from port in Gen.Elements(PortNames)
            from target in Gen.Elements(addresses)
            from source in Gen.Frequency((9, Gen.Elements(addresses[..7])), (1, Gen.Elements(addresses)))
            from vlan in Gen.Elements(-1, -1, 0, 5)
            from seconds in Gen.Frequency((8, Gen.Constant(0)), (2, Gen.Choose(1, 12)))
            select new Sent(port, target, source, vlan, seconds);
        Gen<BridgePortSpec[]> ports =
            from flags in Gen.Elements(true, false, false).ArrayOf(4)
            from horizons in Gen.Elements("", "", "x", "y").ArrayOf(4)
            select PortNames.Select((port, index) => new BridgePortSpec { Port = port, Isolate = flags[index], Horizon = horizons[index], Hosts = Limit }).ToArray();
        Prop.ForAll(ports.ToArbitrary(), frames.ListOf(150).ToArbitrary(), Check).Check(Config.QuickThrowOnFailure.WithMaxTest(60));
    }

    private static bool Check(BridgePortSpec[] ports, IList<Sent> frames)
    {
        const int Enough = 1_000_000;
        TestPlane plane = Create(spec => spec with { Ports = ports, Unknown = Enough, Broadcast = Enough, Multicast = Enough, Moves = Enough });
        var model = new Model(ports);
        plane.Wait(TimeSpan.FromMilliseconds(900));
        foreach ((int number, Sent sent) in frames.Index())
        {
            Wait(plane, sent.Seconds);
            string expected = model.Expect(sent), left = plane.Leaves(sent.Port, Of(sent.Target, sent.Source, sent.Vlan, number));
            Assert.True(expected == left, $"frame {number}, {sent}: \"{left}\" instead of \"{expected}\"");
        }

        plane.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return true;
    }

    /// <summary>From nine tenths of a second to nine tenths of another: within the last second there are ten ticks, which empty all places of what has aged.</summary>
    private static void Wait(TestPlane plane, int seconds)
    {
        if (seconds > 0)
        {
            plane.Clock.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(900));
            plane.Run();
            plane.Wait(TimeSpan.FromMilliseconds(900));
        }
    }
}
