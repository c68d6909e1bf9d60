using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>Steps of a plan as lines for people, in the words of compose.</summary>
internal static class PlanText
{
    /// <summary>Which ports a step closes and opens.</summary>
    public static string Changes(Replica replica, PlanStep step)
    {
        string[] ports = [.. step.Ports.Select(NetworkRequests.Describe)];
        return string.Join(", ", replica.Ports.Except(ports).Select(port => $"{port} closed").Concat(ports.Except(replica.Ports).Select(port => $"{port} opened")));
    }

    /// <summary>That a step has been taken.</summary>
    /// <param name="step">The step.</param>
    /// <param name="detail">What came of it: addresses, subnets, ports.</param>
    public static string Done(PlanStep step, string detail = "")
    {
        string what = step.Kind is PlanStepKind.RemoveNetwork or PlanStepKind.CreateNetwork ? "Network" : "Container";
        string done = step.Kind switch
        {
            PlanStepKind.SetPorts => "Published",
            PlanStepKind.Remove or PlanStepKind.RemoveNetwork => "Removed",
            PlanStepKind.Stop => "Stopped",
            PlanStepKind.CreateNetwork => "Created",
            PlanStepKind.Create => step.Reasons.Count > 0 ? "Recreated" : "Created",
            PlanStepKind.Start => "Started",
            PlanStepKind.Recreate => "Recreated",
            _ => "Running",
        };

        // Why, where it is made anew: once.
        string reasons = done is "Recreated" or "Removed" ? string.Join(", ", step.Reasons) : "";
        string more = string.Join("; ", new[] { reasons, detail }.Where(part => part.Length > 0));
        return $" {what} {step.Name}  {done}{(more.Length > 0 ? $" ({more})" : "")}";
    }
}
