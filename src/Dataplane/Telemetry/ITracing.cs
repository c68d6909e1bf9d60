namespace Dataplane.Telemetry;

/// <summary>Compile-time switch between forwarding and explaining: stages are generic over it.</summary>
/// <remarks>The type argument is a struct, so the JIT compiles each stage twice and removes every <c>if (TTracing.IsOn)</c> from the forwarding one.</remarks>
internal interface ITracing
{
    /// <summary>True when steps are to be recorded.</summary>
    static abstract bool IsOn { get; }

    /// <summary>True when the time of stages is to be taken.</summary>
    static abstract bool IsTimed { get; }
}

/// <summary>Forwarding: nothing is recorded.</summary>
internal readonly struct TracingOff : ITracing
{
    public static bool IsOn => false;

    public static bool IsTimed => false;
}

/// <summary>Forwarding while somebody wants to know what each stage costs.</summary>
internal readonly struct TracingTimed : ITracing
{
    public static bool IsOn => false;

    public static bool IsTimed => true;
}

/// <summary>Explaining: every stage records what it looked at and what it decided.</summary>
internal readonly struct TracingOn : ITracing
{
    public static bool IsOn => true;

    public static bool IsTimed => false;
}
