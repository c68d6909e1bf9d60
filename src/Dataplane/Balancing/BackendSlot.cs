using Dataplane.Flows;
using Dataplane.Tunnels;

namespace Dataplane.Balancing;

/// <summary>What the control side knows of one backend, or of one address of source translation, beside its specification. Used under the engine's update lock.</summary>
internal sealed class BackendSlot(BackendSlots owner)
{
    private BackendSlots _owner = owner;
    private BackendFate _fate;

    public required int Number { get; init; }

    public BackendSlots.Identity Identity { get; set; }

    /// <summary>Changes when the slot is given to another backend.</summary>
    public uint Generation { get; set; } = 1;

    public BackendCounter Counter { get; set; } = new();

    /// <summary>What becomes of its flows.</summary>
    public BackendFate Fate
    {
        get => _fate;
        set
        {
            // What is the same as before needs no new arrays of what becomes of flows.
            if (_fate != value)
            {
                _fate = value;
                _owner.NoteFate(this);
            }
        }
    }

    /// <summary>Whether flows of it are sent to its address as they are; stays so until the slot is another's.</summary>
    public bool IsDirect { get; set; }

    /// <summary>The outer header that they are sent in; null for none.</summary>
    public OuterHeader? Outer { get; set; }

    /// <summary>How long its flows may be idle, as its service said last; null: the defaults.</summary>
    public FlowTimeouts? Timeouts { get; set; }

    /// <summary>Found down by health checks or told so by the user.</summary>
    public bool IsDown { get; set; }

    /// <summary>Why it is down, or was last.</summary>
    public string Reason { get; set; } = "";

    /// <summary>When it came up again after it had been down, in worker time; null when its slow start is over or there was none.</summary>
    public long? RisenNs { get; set; }

    /// <summary>When its drain began, in worker time; null while it is not drained.</summary>
    public long? DrainSinceNs { get; set; }

    /// <summary>What was last told of it; null before the first time.</summary>
    public BackendState? State { get; set; }

    /// <summary>The weight that was last told of it.</summary>
    public int Weight { get; set; }

    /// <summary>A copy that can be changed without this one.</summary>
    public BackendSlot CopyFor(BackendSlots owner)
    {
        var copy = (BackendSlot)MemberwiseClone();
        copy._owner = owner;
        return copy;
    }

    /// <summary>Makes the slot one of another backend; flows of the one before, of which there must be none, would not be taken for its own.</summary>
    public void Begin(BackendSlots.Identity identity)
    {
        Identity = identity;
        Fate = BackendFate.Stay;
        IsDown = false;
        Reason = "";
        RisenNs = DrainSinceNs = null;
        State = null;
        Weight = 0;
    }
}
